"""The contents of a code base: outlines, definitions, comments, conventions and the ranked map."""
