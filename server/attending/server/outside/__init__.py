"""Asking servers of others: judged addresses, bounded answers, and proof of who asks (RFC 7523)."""
