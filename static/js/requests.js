// Requests to the app: what those bring along that change something, and their answers.

import { _ } from "./language.js";

/** Headers to add; none where nobody signs in, or in a page opened from disk. */
export function tokenHeaders() {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  return token ? { "X-CSRF-Token": token } : {};
}

/** What the app says of a state: the answer's status, 0 for none, and its JSON, null where that is not to be had. */
export async function askState(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" }).catch(() => null);
  return { status: answer?.status ?? 0, content: answer?.ok ? await answer.json().catch(() => null) : null };
}

/**
 * An unsafe request to the app; its answer as JSON, or an error whose message can be shown.
 *
 * @param {string} address
 * @param {{body?: object, unanswered?: string, refused?: string}} options what is sent along, as JSON; the
 *   message where nothing answers, and where an answer that refuses says nothing
 */
export async function post(address, { body, unanswered = _("Reelproof did not answer."), refused = unanswered } = {}) {
  const headers = { Accept: "application/json", ...tokenHeaders() };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(address, { method: "POST", headers, body: body && JSON.stringify(body) })
    .catch(() => { throw new Error(unanswered); });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error([content.error, content.remedy].filter(Boolean).join(" ") || refused);
  return content;
}
