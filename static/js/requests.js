// Requests to the REST API (docs/api.md), in the language of the page, with the token of its session.

import { LANGUAGE, _ } from "./language.js";

/** Headers of every request. */
export const HEADERS = { Accept: "application/json", "Reelproof-Language": LANGUAGE };

/** Headers to add to requests that change something; none where nobody signs in. */
export function tokenHeaders() {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  return token ? { "X-CSRF-Token": token } : {};
}

/** The address of an analysis. */
export const analysisAddress = (id) => `/api/v1/analyses/${id}`;

/** What the app says of a state: the answer's status, 0 for none, and its JSON, null where that is not to be had. */
export async function askState(address) {
  const answer = await fetch(address, { headers: HEADERS, cache: "no-store" }).catch(() => null);
  return { status: answer?.status ?? 0, content: answer?.ok ? await answer.json().catch(() => null) : null };
}

/** The JSON at an address; throws an error where there is none. */
export async function read(address) {
  const answer = await fetch(address, { headers: HEADERS });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

/** The problem and remedy of a refused request (RFC 9457); two empty texts if it names none. */
export function refusalOf({ detail = "", remedy = "", errors = [] }) {
  return [errors.length ? errors.map(({ problem }) => problem).join(" ") : detail, remedy];
}

/**
 * An unsafe request to the app; its answer as JSON, or an error whose message can be shown.
 *
 * @param {string} address
 * @param {{method?: string, body?: object, unanswered?: string, refused?: string}} options what is sent along, as
 *   JSON; the message where nothing answers, and where an answer that refuses says nothing
 */
export async function send(address, { method = "POST", body, unanswered = _("Reelproof did not answer."), refused = unanswered } = {}) {
  const headers = { ...HEADERS, ...tokenHeaders() };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(address, { method, headers, body: body && JSON.stringify(body) })
    .catch(() => { throw new Error(unanswered); });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(refusalOf(content).filter(Boolean).join(" ") || refused);
  return content;
}
