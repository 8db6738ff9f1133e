// Signing in.
