"""Passkeys: invitations that two people make, enrolment by the person, sign-in, and what a signature needs."""
