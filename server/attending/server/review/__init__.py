"""Human review: the queue of held texts, leases, dispositions and signatures over the exact text released."""
