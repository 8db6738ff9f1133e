"""Who the patient is: read from JSON or FHIR R4, and merged with what the text itself states."""
