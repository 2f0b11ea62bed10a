// The language of the page: its messages, which the page brings along as JSON, and its numbers.
// A message is its English sentence with named placeholders: _("%(name)s was kept", { name }).

const place = document.getElementById("messages");
const spoken = place ? JSON.parse(place.textContent) : { language: "en", messages: {} };

export const LANGUAGE = spoken.language;

function filled(text, values) {
  return text.replace(/%%|%\((\w+)\)s/g, (found, name) => (found === "%%" ? "%" : String(values[name] ?? found)));
}

/** A message in the language of the page, its placeholders filled. */
export function _(message, values = {}) {
  return filled(spoken.messages[message] ?? message, values);
}

/** One of two messages by `count`, which is the placeholder `num`. */
export function ngettext(singular, plural, count, values = {}) {
  const forms = spoken.messages[singular] ?? [singular, plural];
  return filled(forms[count === 1 ? 0 : 1], { num: count.toLocaleString(LANGUAGE), ...values });
}
