// Passkeys: browsers give them to scripts alone. A form with `data-passkey` asks the server at
// `data-options` what is to be signed, has the browser sign it, and is sent with the answer.

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
const known = (list = []) => list.map((each) => ({ ...each, id: bytes(each.id) }));

// What each kind of answer holds, in WebAuthn's own words.
const HELD = {
  create: ["clientDataJSON", "attestationObject"],
  get: ["clientDataJSON", "authenticatorData", "signature", "userHandle"],
};

async function signed(form) {
  const kind = form.dataset.passkey;
  const answer = await fetch(form.dataset.options, { method: "POST", body: new FormData(form) });
  if (!answer.ok) throw new Error(answer.status);
  const publicKey = await answer.json();
  publicKey.challenge = bytes(publicKey.challenge);
  publicKey.allowCredentials = known(publicKey.allowCredentials);
  publicKey.excludeCredentials = known(publicKey.excludeCredentials);
  if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id);
  const { id, rawId, type, response } = await navigator.credentials[kind]({ publicKey });
  const held = HELD[kind].filter((name) => response[name]);
  return {
    id,
    rawId: text(rawId),
    type,
    response: Object.fromEntries(held.map((name) => [name, text(response[name])])),
  };
}

async function use(event) {
  const form = event.target;
  if (form.elements.credential.value) return;
  event.preventDefault();
  const failed = form.querySelector("[role=alert]");
  const button = form.querySelector("button");
  failed.hidden = button.disabled = true;
  try {
    form.elements.credential.value = JSON.stringify(await signed(form));
    form.submit();
  } catch (error) {
    // The browser has one of those that must not be made again.
    if (error.name === "InvalidStateError") failed.textContent = failed.dataset.known;
    failed.hidden = button.disabled = false;
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.elements.credential.value = "";
    form.addEventListener("submit", use);
    form.hidden = false;
  }
}
