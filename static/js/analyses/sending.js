// Uploads one file: checks it first, reports progress, and explains errors.
import { fileSize } from "../formats.js";
import { _ } from "../language.js";
import { HEADERS, refusalOf, tokenHeaders } from "../requests.js";

/** The problem and remedy of a file that would be refused anyway; null if there is none. */
export function unfit(file, limit, room) {
  if (file.size === 0) {
    return [_("The file is empty: it holds no bytes."), _("Check the file on your disk, then upload it again.")];
  }
  if (file.size > limit) {
    return [
      _("The file has %(size)s; at most %(limit)s are accepted.", { size: fileSize(file.size), limit: fileSize(limit) }),
      _("Cut out the part in question without re-encoding it, or raise REELPROOF_UPLOAD_LIMIT_MB."),
    ];
  }
  if (file.size > room) {
    return [
      _("There is not enough free disk space for this file."),
      _("Free some space on the disk that holds Reelproof's data, then reload this page."),
    ];
  }
  return null;
}

const AGAIN = _("Choose it again.");
const UNREADABLE = { // names of DOMException
  NotFoundError: [
    _("The file is no longer where it was chosen: it was moved, renamed or deleted, or its drive was removed."), AGAIN,
  ],
  SecurityError: [
    _("The browser may not read this file."), _("Copy it to a folder of your own, then choose the copy."),
  ],
};
const CHANGED = [ // Chromium gives one name to a change and to a missing permission
  _("The file was changed since it was chosen, as a recorder, a cloud folder or a virus scanner does, or may not be read any more."),
  _("Wait until it is complete, then choose it again."),
];
export const FOLDER = [_("This is a folder."), _("Choose the files inside it.")];

/** The problem and remedy of a file that the browser cannot read any more; null if it can. */
export function unreadable(file) {
  return file.slice(0, 1).arrayBuffer().then(() => null, ({ name }) => UNREADABLE[name] ?? CHANGED);
}

const ACCEPTED = 202;
const UNFIT = 415; // no video or photo that can be read, however often it is sent
const TOO_OFTEN = 429; // of many small files: the limit is for scripts, and a queue can wait
const BROKE_BEFORE = [
  _("The connection broke before the whole file was sent."),
  _("Check that Reelproof is running and that its disk is not full, then retry."),
];
const BROKE_AFTER = [
  _("The connection broke after the whole file was sent."),
  _("Check that Reelproof is running and whether the library lists the file before you upload it again."),
];

function contentOf(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {}; // not said in JSON
  }
}

function refusal(request) {
  const [problem, remedy] = refusalOf(contentOf(request));
  if (problem) return [problem, remedy];
  return [_("Reelproof refused the file."), _("Reload this page and try again.")];
}

/**
 * Send one file and its fields.
 *
 * @param {string} address
 * @param {FormData} body
 * @param {{onShare: Function, onSent: Function, onTaken: Function, onRefused: Function, onUnfit: Function,
 *   onBroken: Function, onStopped: Function, onTooOften: Function}} tell one of the last six is called in the end:
 *   with the status of the analysis; with error and remedy; likewise; likewise; with nothing; with the seconds to wait before the
 *   same form may be sent again
 * @returns {Function} stops the upload; has no effect once everything was sent
 */
export function upload(address, body, tell) {
  const request = new XMLHttpRequest();
  let sent = false;
  request.open("POST", address);
  for (const [name, value] of Object.entries({ ...HEADERS, ...tokenHeaders() })) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) tell.onShare(event.loaded / event.total);
  });
  request.upload.addEventListener("load", () => {
    sent = true;
    tell.onSent();
  });
  request.addEventListener("load", () => {
    const seconds = Number(request.getResponseHeader("retry-after"));
    if (request.status === ACCEPTED) tell.onTaken(contentOf(request));
    else if (request.status === TOO_OFTEN && seconds > 0) tell.onTooOften(seconds);
    else if (request.status === UNFIT) tell.onUnfit(...refusal(request));
    else tell.onRefused(...refusal(request));
  });
  request.addEventListener("error", () => tell.onBroken(...(sent ? BROKE_AFTER : BROKE_BEFORE)));
  request.addEventListener("abort", () => tell.onStopped());
  request.send(body);
  return () => { if (!sent) request.abort(); };
}
