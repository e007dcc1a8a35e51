"""Reading, writing, finding and searching files inside one root."""
