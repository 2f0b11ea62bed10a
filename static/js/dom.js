// Elements of the page: found, made, and icons copied.

import { escapeDirections } from "./formats.js";

export const byId = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick`) and children; null and false children are left out. No text in
    it changes the reading direction. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, name !== "value" && typeof value === "string" ? escapeDirections(value) : value);
  }
  const present = children.flat().filter((child) => child !== null && child !== false && child !== undefined);
  element.append(...present.map((child) => typeof child === "string" ? escapeDirections(child) : child));
  return element;
}

/** A copy of an icon that the page brought along. */
export function icon(name) {
  const found = byId("icons").querySelector(`[data-icon="${name}"] svg`);
  return found ? found.cloneNode(true) : "";
}
