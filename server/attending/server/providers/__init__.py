"""Model providers behind one port: embedded, replay, and anything that speaks the OpenAI protocol."""
