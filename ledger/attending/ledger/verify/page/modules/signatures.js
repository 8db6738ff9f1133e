// V11, V12, V13: signatures of people, the keys they were made with, and what they say.
//
// Enrolments, revocations and signatures stand in one log: the order of entries decides what was valid when.

import { Refused, utf8 } from "./bytes.js";
import { canonical, hasExactly, isCount, textIn } from "./canonical.js";
import { isHex64, isNamed, isTime, matches } from "./entry.js";
import { isPasskey, parseProof, parseReviewerKey, sameKind, verifyProof } from "./reviewerkeys.js";

const TAG = "attending-review-signature/1\n";
const MEANINGS = ["approved", "approved_with_edits", "rejected"];
const FIELDS = [
  ...["disposed", "findings", "inference", "key_id", "meaning", "nonce", "origin", "policy_hash", "record", "text_commitment"],
  ...["role", "signer", "time", "v", "view_commitment"],
];

/** Whether a signature of this meaning lets the text be released. */
export function releases(statement) {
  return statement.meaning !== "rejected";
}

function parseStatement(value) {
  const good =
    hasExactly(value, FIELDS) &&
    value.v === 1 &&
    ["origin", "inference", "record", "signer", "role", "nonce"].every((name) => isNamed(value[name])) &&
    ["text_commitment", "view_commitment", "policy_hash"].every((name) => isHex64(value[name])) &&
    matches(value.key_id, /^[0-9a-f]{16}$/) &&
    isCount(value.findings) &&
    isCount(value.disposed) &&
    isTime(value.time) &&
    MEANINGS.includes(value.meaning);
  if (!good) throw new Refused("statement is not of the form of version 1");
  return value;
}

export class Signatures {
  /** `complete` when no entry before another can be missing. */
  constructor(findings, complete) {
    this.findings = findings;
    this.complete = complete;
    this.keys = new Map();
    this.revoked = new Map();
    this.nonces = new Map();
    this.invitations = new Map();
    this.count = 0;
  }

  /** Takes note of what says who has which key. */
  async visit(entry) {
    if (entry.type === "credential.issued") this.invite(entry);
    else if (entry.type === "key.enrolled") await this.enrol(entry);
    else if (entry.type === "key.revoked") {
      const id = textIn(entry.body, "key_id");
      if (id === null) this.findings.doubt("V12", "revocation names no key", entry.index);
      else if (!this.revoked.has(id)) this.revoked.set(id, entry.index);
    }
  }

  async enrol(entry) {
    const { body, index } = entry;
    const fail = (detail) => this.findings.fail("V12", detail, index);
    let key;
    try {
      if (textIn(body, "user") === null || !Array.isArray(body.roles)) throw new Refused("enrolment lacks user or roles");
      key = await parseReviewerKey(body);
      if ((body.not_after ?? null) !== null && !isTime(body.not_after)) throw new Refused("`not_after` is not a time");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return fail(error.message);
    }
    if (body.key_id !== key.id) return fail("key id is not that of the enrolled key");
    const known = this.keys.get(key.id);
    if (known && known.user !== body.user) return fail(`key is enrolled to another user by entry ${known.index}`);
    // Or a passkey could be made a key that needs no person at the device.
    if (known && !sameKind(known.key, key)) return fail(`key is enrolled as another kind of key by entry ${known.index}`);
    if (!known && isPasskey(key.algorithm)) this.checkInvited(entry);
    const roles = body.roles.filter((role) => typeof role === "string");
    this.keys.set(key.id, { index, user: body.user, key, roles, notAfter: body.not_after ?? null });
  }

  /** One half of an invitation to bind a passkey. */
  invite(entry) {
    const { body } = entry;
    const [name, half] = [textIn(body, "credential"), textIn(body, "half")];
    if (body.kind !== "passkey" || name === null) return;
    let known = this.invitations.get(name);
    if (half === "administrator" && !known) {
      known = { user: body.user, expires: body.expires, issuers: new Map(), bound: null };
      this.invitations.set(name, known);
    }
    if (!known && !this.complete) return;
    if (!["administrator", "officer"].includes(half) || !known || known.issuers.has(half) || body.user !== known.user) {
      return this.findings.fail("V12", "half of an invitation that does not fit what stands before it", entry.index);
    }
    known.issuers.set(half, entry.actor);
  }

  /** The first enrolment of a passkey follows both halves, by two people of whom none is the user, in time, and once. */
  checkInvited(entry) {
    const { body, index } = entry;
    const fail = (detail) => this.findings.fail("V12", detail, index);
    const name = textIn(body, "invitation");
    if (name === null) return fail("passkey was enrolled without an invitation");
    const known = this.invitations.get(name);
    if (!known || known.issuers.size < 2) {
      if (this.complete) return fail("passkey was enrolled without both halves of its invitation");
      return this.findings.doubt("V12", "invitation of the passkey is not in the bundle", index);
    }
    const person = `human:${body.user}`;
    const people = new Set(known.issuers.values());
    if (known.user !== body.user || people.size < 2 || people.has(person)) fail("passkey was enrolled without two people besides its own");
    if (entry.actor !== person) fail("passkey was bound by another than its person");
    if (typeof known.expires !== "string" || known.expires <= entry.time) fail("invitation of the passkey had expired");
    if (known.bound !== null) fail(`invitation was used before, by entry ${known.bound}`);
    known.bound = index;
  }

  /** The signature of a `review.signed` {index, statement, proved} as far as it holds; null after having said why not.
   *
   * `records` maps the records of the inference to their commitments. `proved` is false where what it rests on may stand
   * outside the bundle.
   */
  async check(entry, records) {
    this.count++;
    const { index, body } = entry;
    const { findings } = this;
    let statement;
    let proof;
    try {
      statement = parseStatement(body.statement);
      proof = parseProof(body);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      findings.fail("V11", error.message, index);
      return null;
    }
    let valid = true;
    const fail = (check, detail) => {
      findings.fail(check, detail, index);
      valid = false;
    };
    if (body.key_id !== statement.key_id) {
      fail("V11", "key id is not that of the statement");
      return null;
    }
    if (statement.origin !== entry.origin || statement.inference !== entry.stream) fail("V11", "signature was made for another log or inference");
    const earlier = this.nonces.get(statement.nonce);
    if (earlier !== undefined) fail("V11", `nonce was used before, by entry ${earlier}`);
    else this.nonces.set(statement.nonce, index);
    let proved = true;
    const recorded = records.get(statement.record);
    if (recorded === undefined && !this.complete) {
      findings.doubt("V11", "record of the text signed is not in the bundle", index);
      proved = false;
    } else if (recorded === undefined) fail("V11", "text signed is not on record");
    else if (recorded !== statement.text_commitment) fail("V11", "text signed is not the text on record");
    const displayed = entry.commitments.filter((item) => item.kind === "view").map((item) => item.commitment);
    if (!displayed.includes(statement.view_commitment) && (displayed.length || isPasskey(proof.algorithm))) {
      fail("V11", "what was displayed is not what the statement commits to");
    }
    const enrolled = this.keys.get(statement.key_id);
    if (!enrolled && !this.complete) {
      findings.doubt("V11", "signature cannot be verified: enrolment of its key is not in the bundle", index);
      findings.doubt("V12", "enrolment of the key is not in the bundle", index);
      return valid ? { index, statement, proved: false } : null;
    }
    if (!enrolled) {
      fail("V12", "key was not enrolled before the signature");
      return null;
    }
    if (!this.keyValid(enrolled, statement, entry)) valid = false;
    if (!(await this.proves(enrolled, utf8(TAG + canonical(statement)), proof, index))) return null;
    return valid ? { index, statement, proved } : null;
  }

  /** The same for a statement that is no review and that only `role` may sign. */
  async checkOther(entry, statement, message, role) {
    const { index, body } = entry;
    let proof;
    try {
      proof = parseProof(body);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return this.findings.fail("V11", error.message, index);
    }
    if (body.key_id !== statement.key_id) return this.findings.fail("V11", "key id is not that of the statement", index);
    if (statement.role !== role) this.findings.fail("V13", `signed in another role than ${role}`, index);
    const enrolled = this.keys.get(statement.key_id);
    if (!enrolled) return this.findings.judge(this.complete, "V12", "key was not enrolled before the signature", index);
    this.keyValid(enrolled, statement, entry);
    await this.proves(enrolled, message, proof, index);
  }

  async proves({ key }, message, proof, index) {
    try {
      if (key.algorithm !== proof.algorithm) throw new Refused("signed with another algorithm than the key is enrolled for");
      await verifyProof(key, message, proof);
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V11", error.message, index);
      return false;
    }
  }

  keyValid(enrolled, statement, entry) {
    let valid = true;
    const fail = (check, detail) => {
      this.findings.fail(check, detail, entry.index);
      valid = false;
    };
    if (enrolled.user !== statement.signer) fail("V12", "key is enrolled to another user than the signer");
    const revoked = this.revoked.get(statement.key_id);
    if (revoked !== undefined) fail("V12", `key was revoked before, by entry ${revoked}`);
    const later = statement.time > entry.time ? statement.time : entry.time;
    if (enrolled.notAfter !== null && enrolled.notAfter < later) fail("V12", "key had expired");
    if (!enrolled.roles.includes(statement.role)) fail("V13", "signer is not enrolled in the role");
    return valid;
  }
}
