"""Sentences for people: what a reason means and what to do, and the names of codes as a clinician says them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

SENTENCES: Final[dict[str, str]] = {
    "ABORTED": "Somebody changed this item at the same moment. Look at it again, then decide.",
    "ALREADY_CLAIMED": "Somebody else is reviewing this item. It is free again when their time is over.",
    "SIMULATION_RUNNING": "A trial of your organisation runs already. Wait for it, or end it.",
    "CANDIDATE_CLOSED": "Somebody decided on this text already. Reload the page to see what.",
    "NOT_PROPOSED": "This text is not on the recall worklist.",
    "CALLER_RATE": "Too many requests in a short time. Wait a moment and try again.",
    "CHANGED_SINCE_PREPARED": "A decision changed after you pressed Sign. Check the findings and sign again.",
    "COMPETENCY_EXPIRED": "Your training record has run out, so you cannot sign. Ask your administrator to renew it.",
    "CREDENTIAL_EXPIRED": "Your access has run out. Ask your administrator to renew it.",
    "CODE_EXPIRED": "This code is too old. Ask the administrator for a new one.",
    "CODE_NOT_CONFIRMED": "The officer has not confirmed you yet. Ask them for their half of the code.",
    "CODE_OVER": "This code was used or withdrawn. Ask the administrator for a new one.",
    "CODE_WRONG": "That is not a code of this server. Check both halves.",
    "CEREMONY_OVER": "Too much time passed. Try again.",
    "CREDENTIAL_TAKEN": "This passkey is somebody's already. Make another one.",
    "BREAK_GLASS_NOT_PERMITTED": "The policy of this text permits no release without its signatures, in no emergency.",
    "BREAK_GLASS_REVIEWED": "Somebody closed this review already. Reload the page to see what they found.",
    "DECISION_NOT_SIGNED": "Two people decide on this item under signature. Reject it with your passkey.",
    "DISPOSITION_NEEDS_EDIT": "The text must be changed before you sign: you agreed with a finding, or facts ask it.",
    "EDIT_NOT_CLEAN": "The changed text still has a problem that would hold it. Change it, or decide on the finding.",
    "ESCALATED_BY_YOU": "You passed this item on, so somebody else decides. They may hand it back to you.",
    "DRAFT_NOT_READ": "You were not given the draft as it is now. Download it, read it, then sign it off.",
    "ACCOUNTING_SUSPENDED": "An agency had the accounting to this person suspended since. Ask for a new report.",
    "NOTHING_CHOSEN": "No inference is as you chose. Leave something out, or choose another period.",
    "NO_ENTRIES_IN_PERIOD": "Nothing is on record of that period. Choose another one.",
    "PAYLOAD_PRUNED": "What is needed was removed at the end of its retention.",
    "REPORT_CHANGED": "The files are not those that were signed, and cannot be made again as they were. Nothing was "
    "issued or given. Tell your operator, and ask for a new report.",
    "REPORT_FILES_FULL": "The reports of your organisation take all the room they may. Sign off and issue what waits, "
    "or tell your operator.",
    "REPORT_ISSUED": "This report is issued already. Download it.",
    "REPORT_DISCARDED": "This report was discarded. Ask for a new one.",
    "REPORT_MOVED": "Somebody did something with this report at the same moment. Look at it again, then decide.",
    "REPORT_NOT_ISSUED": "This report is not issued yet. Download the draft, or have it issued first.",
    "REPORT_NOT_MADE": "It could not be made: the server's log names what failed. Try again; if it stays so, tell your "
    "operator.",
    "REPORT_NOT_READY": "The files are being made. Wait a moment and try again.",
    "REPORT_NOT_SIGNED_OFF": "A named person signs it off first. Nothing was issued.",
    "REPORT_SIGNED_OFF": "Somebody signed this report off already. It can be issued.",
    "REPORT_NOT_SEALABLE": "The file could not be sealed. Nothing was issued, and the report stays signed off. Tell "
    "your operator.",
    "REPORT_SEALED": "The file has a seal already. Nothing was issued. Tell your operator.",
    "SEAL_NOT_MADE": "The seal could not be made. Nothing was issued, and the report stays signed off. Tell your "
    "operator.",
    "SEAL_NOT_PROVED": "The sealed file would not verify. Nothing was issued, and the report stays signed off. Tell "
    "your operator: a certificate is to be renewed, or a root to be mended.",
    "SIGNING_KEY_ROTATED": "The key of the log was changed since: the files that were lost cannot be made as they "
    "were. Ask for a new report.",
    "TOO_MANY_CHOSEN": "More inferences are as you chose than one report takes. Choose a shorter period, or leave "
    "the choice out and report the whole of it.",
    "TOO_MANY_REPORTS": "As many reports wait to be made as may. Ask again when some of them are there.",
    "UNKNOWN_SUBJECT": "Nothing is on record of a person of this pseudonym.",
    "UNKNOWN_REPORT": "There is no such report, or not for you.",
    "EXAMINATION_CHANGED": "Somebody else did something here at the same moment. Reload the page and look again.",
    "EXCEPTIONS_UNDISPOSED": "Something new happened that you have not looked at. Reload the page.",
    "NOTHING_TO_EXAMINE": "Nothing happened since the last examination.",
    "UNKNOWN_ENTRY": "There is no such entry.",
    "UNKNOWN_KEY": "The key you sign with is not enrolled for you, or not any more. Add a passkey under Your account.",
    "UNKNOWN_EXCEPTION": "This exception was examined already. Reload the page.",
    "FINDINGS_UNSEEN": "Facts were added and the text was judged again. Reload the page to see the findings.",
    "FINDINGS_UNDISPOSED": "Some findings have no decision yet. Decide on each, then sign.",
    "IDEMPOTENCY_KEY_REUSED": "This was sent twice with different content. Reload the page and try again.",
    "ILLEGAL_TRANSITION": "This item waits no more: it was released, rejected or it expired. Nothing was changed.",
    "INVALID_CREDENTIAL": "You could not be signed in. Try again, or ask your administrator.",
    "INVALID_REQUEST": "Something that was sent is missing or too long. Check it and try again.",
    "ITEM_CHANGED": "Somebody changed this item at the same moment. Look at it again, then decide.",
    "KEY_UNKNOWN": "The key you sign with is not enrolled for you, or not any more. Add a passkey under Your account.",
    "HELD_ENOUGH": "You hold as many of these items as one person should. Finish one, or give one back.",
    "LAUNCH_REFUSED": "This record system is not one that opens this console. Nothing was asked of it.",
    "LEASE_EXPIRED": "Your time on this item is over. Start the review again; your decisions are kept.",
    "LEASE_NOT_HELD": "You do not hold this item: your time is over or somebody else took it. Start the review again.",
    "LICENCE_EXPIRED": "Your licence has run out, so you cannot sign. Ask your administrator to renew it.",
    "LINK_NOT_VALID": "This sign-in link was used already or is older than a minute. Make a new one.",
    "MISSING_CREDENTIAL": "You are not signed in.",
    "NOT_IN_A_FRAME": "This is not done inside another page. Open the console in a window of its own.",
    "NO_PATIENT": "The record system did not say which patient. Open it again from the patient's record.",
    "NOT_WITHDRAWN": "This text was not taken back, so there is nothing to take notice of.",
    "NOT_YOUR_PREPARATION": "This was prepared by somebody else. Press Sign again.",
    "OPINION_NOT_ASKED": "The policy of this text asks for no own view. Reload the page.",
    "OPINION_RECORDED": "Your view is on record already, and stays. Reload the page.",
    "OPINION_REQUIRED": "Put your own view on record first. The findings are shown then.",
    "PASSKEY_REFUSED": "The passkey was not made for this site, or your device did not verify you. Try again.",
    "PERMISSION_DENIED": "Your role does not allow this. It is on record that it was tried.",
    "POLICY_NOT_SERVED": "The policy is in force no more, so an edit cannot be checked. Sign as it is, or reject.",
    "PRACTICE_ITEM": "This is a practice item: its patient is made up and nothing is sent. Reload the page.",
    "PREPARATION_EXPIRED": "Too much time passed between Sign and your passkey. Press Sign again.",
    "READING_TOO_SHORT": "This text takes longer to read than you have had it. Read on, then sign.",
    "READ_BEFORE": "You have decided on this item. It needs the decision of another person.",
    "READ_BLIND": "Two people read this item, each alone: it is handed to nobody, and nothing is added to it.",
    "RECALL_ACKNOWLEDGED": "Somebody took notice of this for them already. Reload the page to see it.",
    "RESERVED": "This item is kept for a colleague for some minutes. After that anybody may take it.",
    "POLICY_HAS_ERRORS": "The version in the server's folder has errors. Its owner checks it with the policy lint.",
    "NOT_REQUESTED": "This version waits for nobody's approval any more. Reload the page.",
    "NOT_HALTED": "Nothing is stopped there any more. Reload the page.",
    "LOST_RACE": "Somebody else did this, or something else, at the same moment. Reload the page and look again.",
    "SECOND_PERSON_REQUIRED": "You began this yourself. It takes another person.",
    "UNKNOWN_POLICY": "There is no such policy.",
    "VERSION_NOT_IN_FOLDER": "Another version lies in the server's folder now. Reload the page and read that one.",
    "REVIEWER_CANNOT_SIGN": "This colleague cannot sign this item. Hand it to somebody else.",
    "NOTHING_WAITS": "Nothing waits that you may sign.",
    "REVIEW_EXPIRED": "The time to review this item is over. It was not released.",
    "ROLE_NOT_PERMITTED": "This item needs the signature of another role.",
    "SERVER_BUSY": "The server is busy. Try again in a moment.",
    "NOBODY_TO_HAND_TO": "There is no colleague who could sign this item. Give it back to the queue.",
    "DECISION_LAPSED": "A decision that this rested on stands no more. Decide on the finding, then sign.",
    "SKILL_WANTED": "A finding of this item wants the signature of another role. It waits for somebody who has it.",
    "SESSION_ENDED": "Your session is over. Sign in again.",
    "SESSION_ELSEWHERE": "You are signed in at another process of this server. Try again. If it stays so, tell your "
    "administrator that the proxy must keep a browser at one process.",
    "SIGNATURE_INVALID": "The signature does not fit what was shown. Nothing was released. Press Sign again.",
    "SIGNER_IS_AUTHOR": "You asked for this text, so somebody else must sign it.",
    "SIGNER_SIGNED_BEFORE": "You signed this item already. It needs the signature of another person.",
    "SUBJECT_ERASED": "This patient's content was erased. Nothing can be shown or signed.",
    "SYSTEM_HALTED": "Releases are stopped by an emergency halt. Nothing can be signed until it is lifted.",
    "TOO_MANY_PASSKEYS": "You have as many passkeys as one person may. Ask for one to be revoked.",
    "TOO_MANY_FACTS": "Facts were added to this item too often. Reject it, or have it asked for anew.",
    "TOO_MANY_PREPARATIONS": "The server is busy with other signatures. Try again in a moment.",
    "TOO_MANY_SESSIONS": "Too many people are signed in. Try again in a minute.",
    "UNKNOWN_BREAK_GLASS": "No release without signatures is on record for this text.",
    "UNKNOWN_DELIVERY": "They are not among those who have to take notice.",
    "UNKNOWN_INFERENCE": "There is no text of this id, or not for you.",
    "UNKNOWN_FINDING": "This finding is not one to decide on. Reload the page.",
    "UNKNOWN_LAUNCH": "This was opened too long ago. Open it again from the patient's record.",
    "UNKNOWN_PREPARATION": "Too much happened since you pressed Sign. Press Sign again.",
    "UNKNOWN_REVIEWER": "There is no colleague of this name.",
    "UNKNOWN_SECOND_READ": "There is no such text to be read again, or not for you.",
    "UNKNOWN_TICKET": "There is no such item, or not for you.",
    "WRONG_TOKEN": "This page is out of date. Reload it and try again.",
}

OTHERWISE: Final[dict[int, str]] = {
    400: "Something that was sent is not valid. Reload the page and try again.",
    401: "You are not signed in.",
    403: "You may not do this.",
    404: "There is no such page.",
    409: "The item does not allow this now. Look at it again.",
    429: "Too many requests in a short time. Wait a moment and try again.",
    503: "The server cannot do this now. Nothing was released. Try again in a moment.",
}


_OF_STAMPS: Final = (
    "The time stamp authority gave no time stamp that holds. Nothing was issued, and the report stays signed off. Try "
    "again; if it stays so, tell your operator."
)


def sentence(reason: str, status: int) -> str:
    """What a person is told of a refusal."""
    if reason.startswith("TSA_"):
        return _OF_STAMPS
    return SENTENCES.get(reason) or OTHERWISE.get(
        status, "The server made a mistake. Nothing was released. Tell your administrator."
    )


SHOWN: Final = {
    "claimable": "that I can take",
    "mine": "mine",
    "overdue": "past their time",
    "escalated": "escalated",
}
"""What of the queue may be asked for."""
SEVERITIES: Final = {
    "contraindicated": "Contraindicated",
    "major": "Major",
    "moderate": "Moderate",
    "minor": "Minor",
    "info": "Note",
}

CODES: Final = {
    "interaction": "Interaction",
    "dose_max_single": "Single dose above the limit",
    "dose_max_daily": "Daily dose above the limit",
    "interval": "Dosing interval",
    "unit": "Unit",
    "route": "Route",
    "rate": "Rate",
    "duration": "Duration",
    "allergy": "Allergy",
    "cross_allergy": "Cross-allergy",
    "contraindication": "Contraindication",
    "pregnancy": "Pregnancy",
    "lactation": "Breast-feeding",
    "renal": "Kidney function",
    "hepatic": "Liver function",
    "age": "Age",
    "duplicate": "Given twice",
    "stacking": "Adds up over products",
    "mme": "Opioid total",
    "drug_lab": "Drug and laboratory value",
    "never_event": "Never event",
    "specialist": "Named specialist needed",
    "abrupt_stop": "Stopped abruptly",
    "wrong_patient": "Wrong patient",
    "omission": "Left out",
    "red_flag": "Red flag",
    "abbreviation": "Unsafe abbreviation",
    "unknown_drug": "Unknown drug",
    "unreadable_dose": "Dose that cannot be read",
    "not_covered": "Not covered by the knowledge",
    "contradiction": "Contradicts the documents",
    "unsupported": "Not in the documents",
    "retrieval_weak": "Weak documents",
    "withdrawn_document": "Rests on a withdrawn document",
    "stale_document": "Rests on an old document",
    "wrong_patient_document": "Another patient's document",
    "second_opinion": "Second model disagrees",
    "phi": "Personal data",
    "injection": "Instruction in the text",
    "toxicity": "Offensive language",
    "self_harm": "Self-harm",
    "off_topic": "Off topic",
    "clinical_recommendation": "Clinical recommendation",
    "rail_failure": "A check did not run",
}

BASES: Final = {
    "source_row": "from a source table",
    "label_text": "from the drug label",
    "curated": "curated, not yet attested",
    "attested": "attested by two people",
    "rule": "a rule over the text",
}

DISAGREE: Final = (
    ("benefit_outweighs_risk", "Benefit outweighs risk"),
    ("monitored", "Monitored"),
    ("tolerated_before", "Tolerated before"),
    ("other", "Other reason"),
)
NOT_APPLICABLE: Final = (
    ("not_applicable", "Does not apply here"),
    ("misread_text", "Text was misread"),
    ("wrong_knowledge", "Knowledge is wrong"),
)
REASONS: Final = dict((*DISAGREE, *NOT_APPLICABLE))
DISPOSITIONS: Final = {
    "fixed": "Agree, text changed",
    "accepted_risk": "Disagree",
    "false_alarm": "Not applicable",
}
REJECTIONS: Final = (
    ("wrong", "Wrong"),
    ("unsafe", "Unsafe"),
    ("incomplete", "Incomplete"),
    ("wrong_patient", "Wrong patient"),
    ("not_needed", "Not needed"),
    ("other", "Other reason"),
)
SECOND_READ_ANSWERS: Final = (
    ("approved", "as it is"),
    ("approved_with_edits", "with changes"),
    ("rejected", "not at all"),
)
READING_REASONS: Final = (
    ("known_before", "I know this case"),
    ("second_look", "I have read it before"),
    ("read_elsewhere", "I read it elsewhere"),
    ("minor_change", "Little has changed"),
    ("urgent", "It cannot wait"),
    ("short_of_time", "I have no time"),
    ("other", "Other reason"),
)
ASSESSMENTS: Final = (
    ("safe", "Can go out as it is"),
    ("needs_change", "Needs a change"),
    ("unsafe", "Must not go out"),
    ("cannot_tell", "I cannot tell from what is here"),
)
HANDOVERS: Final = (
    ("handover", "End of my shift"),
    ("expertise", "They know more about this"),
    ("conflict_of_interest", "I should not decide on this"),
    ("workload", "Too much at once"),
    ("other", "Other reason"),
)
ESCALATIONS: Final = (
    ("beyond_competence", "More than I can judge"),
    ("patient_unstable", "The patient is unstable"),
    ("facts_missing", "Facts are missing"),
    ("conflict_of_interest", "I should not decide on this"),
    ("other", "Other reason"),
)
RECALLS: Final = (
    ("wrong_patient", "About another patient"),
    ("unsafe", "Acting on it could harm"),
    ("wrong", "Not true"),
    ("outdated", "What it rests on has changed"),
    ("other", "Other reason, in the note"),
)
NO_RECALLS: Final = (
    ("not_harmful", "Nobody could be harmed by it"),
    ("already_acted_on", "Those who care for the patient know and have acted"),
    ("superseded", "A later text took its place"),
    ("never_used", "It reached nobody, or nobody acted on it"),
    ("wrong_knowledge", "The drug knowledge is wrong there"),
    ("other", "Other reason, in the note"),
)
CANDIDATES: Final = {"open": "Waits", "recalled": "Taken back", "dismissed": "Needs no recall"}
NOW: Final = {"hold": "would be held", "block": "would be blocked"}
EMERGENCIES: Final = (
    ("patient_in_danger", "A patient is in danger and nobody else can sign in time"),
    ("system_failure", "The usual way does not work"),
    ("disaster", "Disaster, many patients at once"),
    ("cover", "Cover for somebody who became unavailable"),
)
OUTCOMES: Final = (
    ("justified", "It was needed"),
    ("justified_change_rights", "It was needed, and the policy or the rights should change"),
    ("mistaken", "It was not needed, by mistake"),
    ("misuse", "It was misuse; an incident is opened"),
)
MEANINGS: Final = {
    "approved": "approved as written",
    "approved_with_edits": "approved with edits",
    "rejected": "rejected",
}
ROLES: Final = {
    "clinician": "Clinician",
    "pharmacist": "Pharmacist",
    "auditor": "Auditor",
    "privacy_officer": "Privacy officer",
    "safety_officer": "Safety officer",
    "medical_director": "Medical director",
    "operator": "Operator",
}
STATES: Final = {
    "held": "Waiting",
    "blocked": "Blocked",
    "released": "Released",
    "rejected": "Rejected",
    "expired": "Expired",
    "withdrawn": "Withdrawn",
    "debriefed": "Practice, nothing was sent",
}
EVENTS: Final = {
    "inference.requested": "Asked for",
    "inference.generated": "Written by the model and checked",
    "inference.held": "Held for review",
    "inference.blocked": "Blocked",
    "inference.released": "Released",
    "inference.delivered": "Delivered",
    "inference.withdrawn": "Withdrawn",
    "review.claimed": "Review started",
    "review.disposed": "Finding decided",
    "review.facts_added": "Facts added",
    "review.signed": "Signed",
    "review.rejected": "Rejected",
    "oversight.debriefed": "Practice item, debriefed",
    "review.expired": "Expired",
    "review.escalated": "Escalated",
    "review.opinion_recorded": "Own view on record",
    "review.reassigned": "Handed over",
    "review.adjudicated": "Adjudicated",
    "review.sampled": "Drawn for a second read",
    "review.second_read": "Read a second time",
    "recall.acknowledged": "Notice taken of the recall",
    "recall.proposed": "Would not be released under newer knowledge",
    "recall.dismissed": "Needs no recall",
    "break_glass.used": "Released without signatures",
    "break_glass.reviewed": "Release without signatures examined",
}

EXCEPTIONS: Final = {
    "break_glass": "A text was released without its sign-offs",
    "emergency_access": "Somebody opened emergency access",
    "denied_burst": "Somebody was refused again and again within an hour",
    "export_with_content": "An export held personal content",
    "self_approval_refused": "Somebody would have been their own second person",
    "signature_failed": "A signature did not verify",
    "concurrent_session": "Somebody signed in who was signed in elsewhere",
    "impossible_handover": "Somebody signed in who was at another address within a minute",
    "overdue_review": "The review after break-glass or emergency access is overdue",
    "erasure": "A patient's content was erased",
    "halt": "Something was stopped",
    "expired": "A held text expired undecided",
    "withdrawn": "A released text was recalled",
}
EXCEPTION_DISPOSITIONS: Final = (
    ("expected", "As expected"),
    ("followed_up", "Asked about and settled"),
    ("incident_opened", "An incident is opened"),
)
HALT_REASONS: Final = (
    ("patient_safety", "A patient was or could be harmed"),
    ("security", "Access, keys or data are in doubt"),
    ("model_fault", "The model behaves otherwise than approved"),
    ("checks_fault", "Checks, knowledge or documents are wrong"),
    ("regulator", "A regulator asked for it"),
    ("drill", "A drill"),
    ("maintenance", "Maintenance"),
)
RESUME_REASONS: Final = (
    ("resolved", "What it was for is put right"),
    ("false_alarm", "Nothing was wrong"),
    ("ended", "The drill or maintenance is over"),
)
AUDIENCES: Final = {"patient": "Patients", "clinician": "Clinicians"}
MODES: Final = {
    "observe": "Observe: checked and recorded, held only where every mode holds",
    "advise": "Advise: what would be held is released and marked, what would be blocked is blocked",
    "enforce": "Enforce: holds and blocks",
}

_REVIEWERS: Final = frozenset(("clinician", "pharmacist", "safety_officer"))
_PLACES: Final = (
    ("/", "Queue", _REVIEWERS),
    ("/recalls", "Recalls", _REVIEWERS | {"auditor", "privacy_officer"}),
    ("/worklist", "Recall worklist", _REVIEWERS | {"auditor", "privacy_officer"}),
    ("/break-glass", "Break-glass", _REVIEWERS | {"auditor", "privacy_officer"}),
    ("/second-reads", "Second reads", frozenset(("clinician", "pharmacist"))),
    ("/policies", "Policies", frozenset(("safety_officer", "pharmacist", "operator", "auditor"))),
    ("/examination", "Examination", frozenset(("privacy_officer", "safety_officer", "auditor"))),
    ("/oversight", "Oversight", frozenset(("medical_director", "safety_officer", "auditor"))),
    ("/reviewers", "Reviewers", frozenset(("medical_director",))),
    ("/reports", "Reports", frozenset(("auditor", "privacy_officer", "safety_officer", "medical_director"))),
    ("/stop", "Stop", _REVIEWERS | {"operator", "privacy_officer", "auditor"}),
)


FLAGS: Final = {
    "REVIEWER_FLAG_READS_TOO_FAST": "signs sooner than texts can be read",
    "REVIEWER_FLAG_VELOCITY": "signed unusually many in an hour",
    "REVIEWER_FLAG_MISSES": "releases what second readers would not",
    "REVIEWER_FLAG_MISSES_PLANTED": "misses planted errors",
}


def reading_reason(code: str) -> str:
    """Why somebody signed too soon, as it is asked; `not_given` is of a client that asks for none."""
    return {**dict(READING_REASONS), "not_given": "None given"}.get(code, code)


def places(roles: Collection[str]) -> list[tuple[str, str]]:
    """(address, name) of the pages for these roles. What one may do there the authorisation policies say."""
    return [(address, name) for address, name, whose in _PLACES if not whose.isdisjoint(roles)]


def home(roles: Collection[str]) -> str:
    """The address of the page that comes first for these roles."""
    return next((address for address, _name in places(roles)), "/")


def code(value: str) -> str:
    """A finding's code as a clinician says it."""
    return CODES.get(value, value.replace("_", " ").capitalize())


def said(codes: tuple[tuple[str, str], ...], value: str) -> str:
    """The words of one of `codes`; the code itself where a later version brought it."""
    return dict(codes).get(value, value.replace("_", " "))
