"""Tables that answer questions quickly and hold no truth: each row can be made again from entries and vault.

Every key leads with `log_id`, the tenant's log, so that no query can reach across tenants by accident.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One row an inference. Times are the ledger's text form (`YYYY-MM-DDTHH:MM:SS.ffffffZ`), which sorts as time does.
inference = Table(
    "inference",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("inference_id", String(40), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("entry_point", String(8), nullable=False),
    Column("owner", String(40), nullable=False),
    Column("calling_app", String(128), nullable=False),
    Column("on_behalf_of", String(128)),
    Column("subject", String(64)),
    Column("policy", String(64), nullable=False),
    Column("policy_hash", String(80), nullable=False),
    Column("recipient", String(16), nullable=False),
    Column("release_requires", String(16), nullable=False),
    Column("requested_index", BigInteger, nullable=False),
    Column("requested_at", String(27), nullable=False),
    # Set with the verdict.
    Column("knowledge_hash", String(80)),
    Column("prompt_version", String(80)),
    Column("provider", String(128), nullable=False),
    Column("model", String(128), nullable=False),
    Column("decided_index", BigInteger),
    Column("decided_at", String(27)),
    Column("request_record", String(64), nullable=False),
    Column("result_record", String(64)),
    Column("text_record", String(64)),
    Column("not_enforced", Boolean, nullable=False, default=False),
    Column("reason", String(64)),
    Column("team", String(64)),
    Column("feature", String(64)),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_micros", BigInteger),
    Column("cost_currency", String(3)),
    Column("cost_basis", String(200)),
    Index(None, "log_id", "state"),
    Index(None, "log_id", "requested_at"),
)

# One row for each code that the checks reported of an inference, with how often.
reported_code = Table(
    "reported_code",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("inference_id", String(40), primary_key=True),
    Column("code", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
)

# One row a held text.
review_item = Table(
    "review_item",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("ticket_id", String(40), primary_key=True),
    Column("inference_id", String(40), nullable=False),
    Column("subject", String(64)),
    Column("policy", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("worst_severity", String(16)),
    Column("severity_rank", Integer, nullable=False),
    Column("urgency", String(16), nullable=False),
    # Place in the queue, the soonest first: see review/order.py.
    Column("priority", String(27), nullable=False),
    Column("open_findings", Integer, nullable=False),
    Column("to_dispose", Text, nullable=False),
    Column("disposed", Text, nullable=False),
    Column("sign_off_roles", Text, nullable=False),
    Column("sign_off_count", Integer, nullable=False),
    # Where findings want somebody's signature, whose count at all (JSON of review/skills.py, empty otherwise), and the
    # roles in which a next signature brings the text closer to its release.
    Column("skills", Text, nullable=False),
    Column("open_to", Text, nullable=False),
    Column("author_may_sign", Boolean, nullable=False),
    Column("signed_by", Text, nullable=False),
    Column("held_at", String(27), nullable=False),
    Column("due_at", String(27), nullable=False),
    Column("expires_at", String(27), nullable=False),
    # When the server escalates it by itself, null once it is escalated, and to which roles.
    Column("escalates_at", String(27)),
    Column("escalates_to", Text, nullable=False),
    Column("claimed_by", String(128)),
    Column("lease_id", String(40)),
    Column("lease_expires_at", String(27)),
    Column("assigned_to", String(128)),
    Column("assigned_until", String(27)),
    # When it was last escalated, to which roles, and the people who did and have not been given it again.
    Column("escalated_at", String(27)),
    Column("escalated_to", Text, nullable=False),
    Column("escalated_by", Text, nullable=False),
    # Of a blinded item what each reader disposed of and decided, as JSON; `disposed` is that of who holds the lease.
    Column("blinded", Boolean, nullable=False),
    Column("reads", Text, nullable=False),
    Column("adjudicated_by", String(128)),
    # Of facts that reviewers added: the vault records of all of them, and of what the checks found since.
    Column("facts_record", String(64)),
    Column("result_record", String(64)),
    # Of a practice item for whom alone it is: openly marked from the start, seeded from its debrief on.
    Column("practice_for", String(128)),
    # Findings that were decided before (JSON, as their entry says), and by which digest each finding is known again.
    Column("suppressed", Text, nullable=False),
    Column("alike", Text, nullable=False),
    Index(None, "log_id", "state", "priority", "ticket_id"),
    Index(None, "log_id", "state", "expires_at"),
    Index(None, "log_id", "inference_id"),
    # What somebody holds, and what is kept for them: few rows of a long queue.
    Index(None, "log_id", "claimed_by"),
    Index(None, "log_id", "assigned_to"),
)

# One row a reviewer's signature, by its nonce: what oversight counts. How long somebody read is no part of it: that is
# their own figure and lies in the vault.
# One row a report, following its stream.
report = Table(
    "report",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("report_id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("requested_by", String(160), nullable=False),
    Column("requested_index", BigInteger, nullable=False),
    Column("requested_at", String(27), nullable=False),
    Column("tree_size", BigInteger, nullable=False),
    Column("signer", String(128)),
    Column("issued_at", String(27)),
    Index(None, "log_id", "requested_index"),
)

review_signature = Table(
    "review_signature",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    Column("inference_id", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("signer", String(128), nullable=False),
    Column("role", String(32), nullable=False),
    Column("meaning", String(32), nullable=False),
    Column("signed_at", String(27), nullable=False),
    Column("severity_rank", Integer, nullable=False),
    # Null of a signature that is older than the measure.
    Column("tier", String(16)),
    Column("words", Integer),
    Column("floor_seconds", Integer),
    Column("short", Boolean),
    Column("reason", String(32)),
    Column("raised", Boolean),
    Column("reading_record", String(64)),
    Index(None, "log_id", "signed_at"),
    Index(None, "log_id", "signer", "signed_at"),
)

# One row a finding that somebody disposed of, the last word of each person; none of an entry without a code. `run` is
# the vault record of the findings that the number counts in, "" for those of the text's first judging.
finding_disposition = Table(
    "finding_disposition",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("ticket_id", String(40), primary_key=True),
    Column("run", String(64), primary_key=True),
    Column("finding", Integer, primary_key=True, autoincrement=False),
    Column("who", String(128), primary_key=True),
    Column("policy", String(64), nullable=False),
    Column("rail", String(64), nullable=False),
    Column("code", String(64), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("reason", String(32)),
    Column("made_at", String(27), nullable=False),
    Index(None, "log_id", "made_at"),
)

# One row a finding that may be known again, with the last word on it; `digest` is under the patient's own key.
decided_finding = Table(
    "decided_finding",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("ticket_id", String(40), primary_key=True),
    Column("finding", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("inference_id", String(40), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("made_at", String(27), nullable=False),
    Column("entry_index", BigInteger, nullable=False),
    Index(None, "log_id", "digest"),
    Index(None, "log_id", "entry_index"),
)

# One row a draw of released texts; the seed is in the vault, and in the entry that opens it.
oversight_draw = Table(
    "oversight_draw",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("draw_id", String(40), primary_key=True),
    Column("committed_index", BigInteger, nullable=False),
    Column("committed_at", String(27), nullable=False),
    Column("opened_index", BigInteger),
    Column("seed", String(64)),
    Column("salt", String(64)),
    Index(None, "log_id", "committed_index"),
)

# One row a released text that was drawn; `signers` are those who may not read it again.
second_read = Table(
    "second_read",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("read_id", String(40), primary_key=True),
    Column("inference_id", String(40), nullable=False),
    Column("draw_id", String(40), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("severity_rank", Integer, nullable=False),
    Column("raised", Boolean, nullable=False),
    Column("basis", String(16), nullable=False),
    Column("first", String(32), nullable=False),
    Column("signers", Text, nullable=False),
    Column("sampled_at", String(27), nullable=False),
    Column("reader", String(128)),
    Column("answer", String(32)),
    Column("reason", String(32)),
    Column("read_at", String(27)),
    Index(None, "log_id", "sampled_at"),
    Index(None, "log_id", "draw_id"),
)

# One row a practice item that is known as one: openly marked, or seeded and debriefed. No other figure counts them.
practice_item = Table(
    "practice_item",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("inference_id", String(40), primary_key=True),
    Column("ticket_id", String(40), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("item", String(64), nullable=False),
    Column("offered_to", String(128)),
    Column("offered_at", String(27)),
    # Set with the debrief: what it was (error or sound), what its reader made of it, and whether that was right.
    Column("kind", String(8)),
    Column("answer", String(24)),
    Column("right", Boolean),
    Column("reader", String(128)),
    Column("decided_at", String(27)),
    Index(None, "log_id", "decided_at"),
    Index(None, "log_id", "offered_to"),
    Index(None, "log_id", "reader"),
)

# One row an alarm about somebody's pace.
oversight_alarm = Table(
    "oversight_alarm",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("alarm_id", String(40), primary_key=True),
    Column("user", String(128), nullable=False),
    Column("count", Integer, nullable=False),
    Column("because", String(64), nullable=False),
    Column("raised_at", String(27), nullable=False),
    Index(None, "log_id", "raised_at"),
)

# One row a withdrawn inference; `outstanding` are those who have not taken notice.
recall = Table(
    "recall",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("inference_id", String(40), primary_key=True),
    Column("calling_app", String(128), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("withdrawn_at", String(27), nullable=False),
    Column("withdrawn_by", String(128), nullable=False),
    Column("withdrawn_index", BigInteger, nullable=False),
    Column("outstanding", Text, nullable=False),
    Column("acknowledged", Text, nullable=False),
    Index(None, "log_id", "withdrawn_index"),
)

# One row a released text that would not be released under the drug knowledge that came into force since, the last time
# that one was found to be so. `state` is open, recalled or dismissed.
recall_candidate = Table(
    "recall_candidate",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("inference_id", String(40), primary_key=True),
    Column("policy", String(64), nullable=False),
    Column("subject", String(64)),
    Column("released_by", String(16), nullable=False),
    Column("now", String(16), nullable=False),
    Column("codes", Text, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("activation", BigInteger, nullable=False),
    Column("knowledge_hash", String(80), nullable=False),
    Column("proposed_at", String(27), nullable=False),
    Column("proposed_index", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("closed_at", String(27)),
    Column("closed_by", String(128)),
    Column("reason", String(32)),
    Index(None, "log_id", "state", "proposed_index"),
)

# One row a text released without its sign-offs.
break_glass_release = Table(
    "break_glass_release",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("inference_id", String(40), primary_key=True),
    Column("ticket_id", String(40), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("user", String(128), nullable=False),
    Column("role", String(32), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("used_at", String(27), nullable=False),
    Column("used_index", BigInteger, nullable=False),
    Column("review_due", String(27), nullable=False),
    Column("reviewed_at", String(27)),
    Column("reviewed_by", String(128)),
    Column("outcome", String(32)),
    Index(None, "log_id", "used_index"),
)

# Prompt versions hold no personal data by contract; their text lies here and its hash in the entry.
prompt_version = Table(
    "prompt_version",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", String(80), primary_key=True),
    Column("template_record", String(64), nullable=False),
    Column("created_at", String(27), nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("entry_index", BigInteger, nullable=False),
)

prompt_label = Table(
    "prompt_label",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("label", String(32), primary_key=True),
    Column("version", String(80), nullable=False),
    Column("moved_at", String(27), nullable=False),
    Column("moved_by", String(128), nullable=False),
    Column("entry_index", BigInteger, nullable=False),
)

# Signing keys of people, from key.enrolled and key.revoked.
signing_key = Table(
    "signing_key",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("key_id", String(16), primary_key=True),
    Column("user", String(128), nullable=False),
    Column("algorithm", String(24), nullable=False),
    # Of a passkey: what a browser names it by, base64url.
    Column("credential_id", Text),
    Column("roles", Text, nullable=False),
    Column("enrolled_at", String(27), nullable=False),
    Column("revoked_at", String(27)),
    Index(None, "log_id", "user"),
)

# What arrived of each emitter of events from outside; `ranges` are those of `attending.ledger.verify.emitters`.
# `version` is that of the emitter's stream, `issued` the last sequence that it declared.
emitter = Table(
    "emitter",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("actor", String(128), primary_key=True),
    Column("emitter", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("highest", BigInteger, nullable=False),
    Column("ranges", Text, nullable=False),
    Column("issued", BigInteger),
    Column("closed_index", BigInteger),
    Column("first_time", String(27), nullable=False),
    Column("last_time", String(27), nullable=False),
)

# Where the entry of each sequence lies, to answer one that comes again.
emitter_event = Table(
    "emitter_event",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("actor", String(128), primary_key=True),
    Column("emitter", String(64), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_index", BigInteger, nullable=False),
)

# One row an identity: what is in force, and whether something waits for its proofing.
account = Table(
    "account",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("roles", Text, nullable=False),
    Column("expires", String(27)),
    Column("licence_expires", String(27)),
    Column("competency_expires", String(27)),
    Column("display_record", String(64)),
    # Index of the last entry about the identity or one of its credentials: what other processes look at.
    Column("changed_index", BigInteger, nullable=False),
    Index(None, "log_id", "changed_index"),
)

account_credential = Table(
    "account_credential",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("credential_id", String(40), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("value", Text, nullable=False),
    Column("expires", String(27)),
    Column("secret_record", String(64)),
    Column("proofed", Boolean, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Index(None, "log_id", "name"),
)

# One row an emergency access; times say by themselves when it ends and when its review is overdue.
emergency_access = Table(
    "emergency_access",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("access_id", String(40), primary_key=True),
    Column("user", String(64), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("began_at", String(27), nullable=False),
    Column("began_index", BigInteger, nullable=False),
    Column("until", String(27), nullable=False),
    Column("review_due", String(27), nullable=False),
    Column("ended_at", String(27)),
    Column("reviewed_at", String(27)),
    Column("reviewed_by", String(64)),
    Column("outcome", String(32)),
    # Index of the last entry about it: what other processes look at.
    Column("changed_index", BigInteger, nullable=False),
    Index(None, "log_id", "changed_index"),
    Index(None, "log_id", "user"),
)

# What fell due and was put on record, once each; `ref` is the ticket, inference or emergency access.
notice_due = Table(
    "notice_due",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("about", String(16), primary_key=True),
    Column("ref", String(40), primary_key=True),
    Column("told_index", BigInteger, nullable=False),
)

# How far each target of notices is: all entries below `through` are dealt with, and those of `ahead` (JSON) beyond it.
notice_target = Table(
    "notice_target",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("target", String(64), primary_key=True),
    Column("through", BigInteger, nullable=False),
    Column("ahead", Text, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("dead", BigInteger, nullable=False),
    Column("delivered_at", String(27)),
)

# One row a notice that was given up and that nobody has had sent again.
notice_dead = Table(
    "notice_dead",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("target", String(64), primary_key=True),
    Column("notice", String(40), primary_key=True),
    Column("event", String(32), nullable=False),
    Column("about_index", BigInteger, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failed_at", String(27), nullable=False),
    Index(None, "log_id", "failed_at"),
)
