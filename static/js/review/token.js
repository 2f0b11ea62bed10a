// What requests that change something bring along, so that the app knows they come from a page of its own.

/** Headers to add; none where nobody signs in, or in a page opened from disk. */
export function tokenHeaders() {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  return token ? { "X-CSRF-Token": token } : {};
}
