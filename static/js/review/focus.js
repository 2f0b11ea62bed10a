// Where the keyboard is, while what it was on is drawn anew.

const nameOf = (element) => (element.id ? `#${CSS.escape(element.id)}` : `[data-focus="${CSS.escape(element.dataset.focus)}"]`);

/**
 * Draw what is inside `place` anew. The focus goes to what took the place of the focused element, by its id or
 * `data-focus`; where nothing did, to the next one that can have it, or else to `place`.
 */
export function keepFocus(place, draw) {
  const focused = document.activeElement;
  if (!place.contains(focused)) {
    draw();
    return;
  }
  const names = [...place.querySelectorAll("[id], [data-focus]")]
    .filter((one) => one === focused || focused.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING)
    .map(nameOf);
  draw();
  if (place.contains(document.activeElement)) return;
  for (const name of names) {
    const successor = place.querySelector(name);
    successor?.focus({ preventScroll: true });
    if (successor && document.activeElement === successor) return;
  }
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
}
