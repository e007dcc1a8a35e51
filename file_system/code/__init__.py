"""What a code base holds: outlines, definitions, comments, conventions and the ranked map."""
