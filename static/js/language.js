// The language of the page: its messages, which the page brings along as JSON, and its numbers.
// A message is its English sentence with named placeholders: _("%(name)s was kept", { name }).

const element = document.getElementById("messages");
const catalogue = element ? JSON.parse(element.textContent) : { language: "en", messages: {} };

export const LANGUAGE = catalogue.language;

const PLURAL = new Intl.PluralRules(LANGUAGE);
const formats = new Map(); // by digits; making one takes longer than using it a hundred times

function filled(text, values) {
  return text.replace(/%%|%\((\w+)\)s/g, (found, name) => (found === "%%" ? "%" : String(values[name] ?? found)));
}

/** A message in the language of the page, its placeholders filled. */
export function _(message, values = {}) {
  return filled(catalogue.messages[message] ?? message, values);
}

/** One of two messages by `count`, which is the placeholder `num`: for what the language counts as one, and others. */
export function ngettext(singular, plural, count, values = {}) {
  const forms = catalogue.messages[singular] ?? [singular, plural];
  return filled(forms[PLURAL.select(count) === "one" ? 0 : 1], { num: decimal(count, 0), ...values });
}

/** A number with so many decimals, its thousands set apart. */
export function decimal(value, digits) {
  if (!formats.has(digits)) {
    const form = { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: "always" };
    formats.set(digits, new Intl.NumberFormat(LANGUAGE, form));
  }
  return formats.get(digits).format(value);
}

const PARAMETER = new Intl.NumberFormat(LANGUAGE, { maximumSignificantDigits: 4 });
const SHARE = new Intl.NumberFormat(LANGUAGE, { style: "percent" });

/** A parameter: at most four significant digits, no trailing zeros. */
export const parameter = (value) => PARAMETER.format(value);

/** A share in whole percent. */
export const percent = (share) => SHARE.format(share);

/** A share in whole percent, which is 100 only when all is done. */
export const percentDone = (share) => percent(Math.floor(share * 100) / 100);
