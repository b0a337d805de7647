// Gives every layer at least one object file, so that a header-only layer is a target like the
// rest.
