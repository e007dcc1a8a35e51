"""Go and Rust projects: how their tests are run and what they print is read."""
