// An entry as an AuditEvent of FHIR R4 (docs/fhir.md), for V20.

const DICOM = "http://dicom.nema.org/resources/ontology/DCM";
const LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const EXPORT = [DICOM, "110106", "Export", "R"];
const VIEW = [DICOM, "110110", "Patient Record", "R"];
const TYPES = {
  "access.viewed": VIEW,
  "access.revealed": VIEW,
  "access.searched": [DICOM, "110112", "Query", "E"],
  "access.exported": EXPORT,
  "access.disclosed": EXPORT,
  "report.disclosed": EXPORT,
  "disclosure.recorded": EXPORT,
  "access.denied": [DICOM, "110113", "Security Alert", "E"],
  "inference.generated": [LIFECYCLE, "originate", "Originate/Retain Record Lifecycle Event", "C"],
  "review.signed": [LIFECYCLE, "verify", "Verify Record Lifecycle Event", "U"],
  "subject.erased": [LIFECYCLE, "destroy", "Destroy/Delete Record Lifecycle Event", "D"],
};
const ACTIVITY = [DICOM, "110100", "Application Activity", "E"];
const SECURITY = [DICOM, "110137", "User Security Attributes Changed", "U"];
const PURPOSES = [
  ...["TREAT", "ETREAT", "HPAYMT", "HOPERAT", "HQUALIMP", "PATSFTY", "PATRQT", "HCOMPL", "HLEGAL", "PUBHLTH", "HRESCH"],
  ...["RECORDMGT", "HSYSADMIN"],
];
const BY_AI = ["inference.generated", "inference.released", "inference.delivered"];
export const AI_ASSERTED = { system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "AIAST" };

export function identifier(origin, kind, value) {
  return { system: `https://${origin}/${kind}`, value };
}

export function auditEvent({ origin, index, type, time, actor, stream, subject, body }) {
  const [system, code, display, action] = typeOf(type);
  const entity = (kind, value, what, role, words) => ({
    what: { identifier: identifier(origin, kind, value) },
    type: { system: "http://terminology.hl7.org/CodeSystem/audit-entity-type", code: what },
    role: { system: "http://terminology.hl7.org/CodeSystem/object-role", code: role, display: words },
  });
  const purpose = Object.hasOwn(body, "purpose_of_use") && PURPOSES.includes(body.purpose_of_use) ? body.purpose_of_use : null;
  return {
    resourceType: "AuditEvent",
    id: `entry-${index}`,
    type: { system, code, display },
    subtype: [{ system: `https://${origin}/entry-type`, code: type }],
    action,
    recorded: time,
    outcome: type === "access.denied" ? "4" : "0",
    agent: [{ who: who(origin, actor), requestor: true }],
    source: { observer: { display: origin } },
    entity: [
      entity("entry", `${origin}#${index}`, "2", "13", "Security Resource"),
      entity("stream", stream, "2", "4", "Domain Resource"),
      ...(subject === null ? [] : [entity("pseudonym", subject, "1", "1", "Patient")]),
    ],
    ...(BY_AI.includes(type) && { meta: { security: [AI_ASSERTED] } }),
    ...(purpose && {
      purposeOfEvent: [{ coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActReason", code: purpose }] }],
    }),
  };
}

function typeOf(type) {
  if (/^(?:key|user|credential|passkey)\./.test(type)) return SECURITY;
  return Object.hasOwn(TYPES, type) ? TYPES[type] : ACTIVITY;
}

function who(origin, actor) {
  const found = /^(human|app):(.+)$/su.exec(actor);
  if (!found) return { type: "Device", identifier: identifier(origin, "system", actor) };
  const person = found[1] === "human";
  return { type: person ? "Practitioner" : "Device", identifier: identifier(origin, person ? "person" : "app", found[2]) };
}
