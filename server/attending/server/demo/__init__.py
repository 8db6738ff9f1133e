"""`attending demo`: the main job on a real server, as an application, a clinician and an auditor would do it."""
