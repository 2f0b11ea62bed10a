// Pictures of peak frames: the face alone, and large ones to step through.

import { byId, el } from "../dom.js";
import { _ } from "../language.js";

const SVG = "http://www.w3.org/2000/svg";

// Hundreds of segments have hundreds of pictures; only those in sight are fetched.
const inSight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    target.firstChild.setAttribute("href", target.dataset.picture);
    inSight.unobserve(target);
  }
}, { rootMargin: "200px" });

/** The face alone, cut out of a picture of the whole frame. Empty `alt`: decoration. */
export function closeUp(peak, address, media, alt) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: peak.close_up, ...(alt ? { role: "img", "aria-label": _("Close-up: %(picture)s", { picture: alt }) } : { "aria-hidden": "true" }) };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  const image = document.createElementNS(SVG, "image");
  svg.dataset.picture = address;
  image.setAttribute("width", media.width);
  image.setAttribute("height", media.height);
  svg.append(image);
  inSight.observe(svg);
  return svg;
}

let set = null;

/** Shows one peak frame large: frame, overlay and map, whole and close up. */
export function enlarge(peaks, peak, media, opener) {
  set = { peaks, media, opener };
  fill(peaks.indexOf(peak));
  byId("lightbox").showModal();
}

function fill(index) {
  const { peaks, media } = set;
  set.index = (index + peaks.length) % peaks.length;
  const peak = peaks[set.index];
  const shown = [[peak.frame, _("Original")], [peak.overlay, _("With heatmap")], [peak.map, _("Heatmap alone")]].filter(([address]) => address);
  const figure = (picture, words) => el("figure", {}, picture, el("figcaption", {}, words));
  byId("lightbox-pictures").replaceChildren(
    ...shown.map(([address, words]) => figure(el("img", { src: address, alt: _("%(picture)s, whole frame", { picture: words }) }), words)),
    ...shown.map(([address, words]) => figure(closeUp(peak, address, media, words), _("%(picture)s, close-up", { picture: words }))),
  );
  byId("lightbox-caption").textContent = peak.caption;
  byId("lightbox-effect").textContent = peak.effect;
}

/** Wires the dialog, once. */
export function lightbox() {
  const box = byId("lightbox");
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === box || button?.hasAttribute("data-close")) box.close();
    else if (button) fill(set.index + Number(button.dataset.step));
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") fill(set.index - 1);
    if (event.key === "ArrowRight") fill(set.index + 1);
  });
  box.addEventListener("close", () => set?.opener?.focus());
}
