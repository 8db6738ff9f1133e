"""What the desk and the gate hold, as FHIR R4 resources: a review as a Task, a released text with its provenance."""
