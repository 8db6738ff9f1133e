// The device's part: a new passkey, or a signature by one. Bytes travel as base64url, as the standard has them in JSON.

const decode = (text) => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
};
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (list) => (list ?? []).map((one) => ({ ...one, id: decode(one.id) }));

export const able = Boolean(globalThis.PublicKeyCredential);

export class NotSigned extends Error {}

async function ask(work) {
  if (!able) throw new NotSigned("This browser has no passkeys. Use a current one.");
  try {
    const credential = await work();
    if (credential === null) throw new NotSigned("Nothing was signed.");
    return credential;
  } catch (error) {
    if (error instanceof NotSigned) throw error;
    if (error.name === "InvalidStateError") throw new NotSigned("This device has a passkey of yours already.");
    if (error.name === "NotAllowedError") throw new NotSigned("The passkey was not used: it was cancelled, or took too long. Nothing was changed.");
    throw new NotSigned("Your device could not use a passkey here. Nothing was changed.");
  }
}

export async function make(options) {
  const credential = await ask(() => navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      user: { ...options.user, id: decode(options.user.id) },
      excludeCredentials: named(options.excludeCredentials),
    },
  }));
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: {
      attestationObject: encode(credential.response.attestationObject),
      clientDataJSON: encode(credential.response.clientDataJSON),
      transports: credential.response.getTransports?.() ?? [],
    },
  };
}

export async function prove(options) {
  const credential = await ask(() => navigator.credentials.get({
    publicKey: { ...options, challenge: decode(options.challenge), allowCredentials: named(options.allowCredentials) },
  }));
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    response: {
      authenticatorData: encode(credential.response.authenticatorData),
      clientDataJSON: encode(credential.response.clientDataJSON),
      signature: encode(credential.response.signature),
    },
  };
}
