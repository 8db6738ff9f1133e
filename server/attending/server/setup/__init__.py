"""`attending init`: a configuration with everything that it names, made in one step or not at all."""
