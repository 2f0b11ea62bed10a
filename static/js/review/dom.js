// Small helpers: elements, icons and times.

import { LANGUAGE, decimal } from "../language.js";

/** An element with attributes, listeners (`onclick`) and children; null and false children are left out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A copy of an icon that the page brought along. */
export function icon(name) {
  const found = byId("icons").querySelector(`[data-icon="${name}"] svg`);
  return found ? found.cloneNode(true) : "";
}

const THRESHOLDS = [0.4, 0.65]; // as shipped, of doubt and of a finding

/** A probability with two decimals; never rounded to a certainty, or to a threshold it does not reach. */
export function probability(value) {
  if (value > 0.99) return `> ${decimal(0.99, 2)}`;
  if (value < 0.01) return `< ${decimal(0.01, 2)}`;
  const near = Number(value.toFixed(2));
  return value < near && THRESHOLDS.includes(near) ? decimal(Math.floor(1000 * value) / 1000, 3) : decimal(near, 2);
}

/** Seconds as HH:MM:SS.mmm. */
export function timecode(seconds) {
  const total = Math.max(0, Math.round(seconds * 1000));
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const whole = Math.floor(total / 1000);
  return `${pad(Math.floor(whole / 3600))}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}.${pad(total % 1000, 3)}`;
}

const DAY = LANGUAGE === "en" ? null : new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeZone: "UTC" });

/** A moment in UTC as `reports.text.dates` writes it: in English as ISO 8601 does. */
export function moment(iso) {
  const day = DAY ? `${DAY.format(new Date(iso))},` : iso.slice(0, 10);
  return `${day} ${iso.slice(11, 19)} UTC`;
}

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** First index whose value is not below `wanted`, in a sorted array. */
export function lowerBound(sorted, wanted) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

let clearing = null;

/** Says something in a corner for a while, and to screen readers. */
export function say(text, action = null) {
  const place = byId("toast");
  place.replaceChildren(el("span", {}, text));
  if (action) {
    place.append(el("button", { type: "button", onclick: () => { place.replaceChildren(); action.run(); } }, action.label));
  }
  clearTimeout(clearing);
  clearing = setTimeout(() => place.replaceChildren(), 8000);
}
