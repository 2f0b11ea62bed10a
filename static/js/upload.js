// Drag and drop, checks before sending, and a bar while a file is on its way.
// Without this module the form works as it stands.

const form = document.getElementById("upload");
const input = document.getElementById("file");
const byId = (id) => document.getElementById(id);
const show = (id, visible) => { byId(id).hidden = !visible; };

document.documentElement.classList.add("scripted");

function megabytes(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function complain(error, remedy) {
  byId("problem-error").textContent = error;
  byId("problem-remedy").textContent = remedy;
  show("problem", true);
}

function unfit(file) {
  if (file.size === 0) {
    return ["The file is empty: it holds no bytes.", "Check the file on your disk, then hand it in again."];
  }
  if (file.size > Number(form.dataset.limit)) {
    return [`The file has ${megabytes(file.size)}; at most ${megabytes(Number(form.dataset.limit))} are accepted.`,
      "Cut out the part in question without re-encoding it, or raise REELPROOF_UPLOAD_LIMIT_MB."];
  }
  if (file.size > Number(form.dataset.room)) {
    return ["There is not enough free disk space to take in this file.",
      "Free some space on the disk that holds Reelproof's data, then reload this page."];
  }
  return null;
}

function choose() {
  const file = input.files[0];
  show("problem", false);
  show("chosen", Boolean(file));
  if (!file) return false;
  byId("chosen").textContent = `${file.name}, ${megabytes(file.size)}`;
  const problem = unfit(file);
  if (problem) complain(...problem);
  byId("start").disabled = Boolean(problem);
  return !problem;
}

function send() {
  const request = new XMLHttpRequest();
  let sent = false;
  const finish = () => {
    show("sending", false);
    show("cancel", false);
    byId("start").disabled = false;
    input.disabled = false;
  };
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    const share = event.loaded / event.total;
    byId("sent").value = share;
    byId("sending-words").textContent = `Uploading, ${Math.floor(share * 100)} % of ${megabytes(event.total)}`;
  });
  request.upload.addEventListener("load", () => {
    sent = true; // the server may have it all, and cancelling would no longer stop it
    show("cancel", false);
    byId("sent").value = 1;
    byId("sending-words").textContent = "Checking and storing the file";
    byId("upload-status").textContent = "Checking and storing the file";
  });
  request.addEventListener("load", () => {
    if (request.status === 200) {
      window.location.assign(request.responseURL); // the redirect was followed: this is the analysis
      return;
    }
    finish();
    try {
      const answer = JSON.parse(request.responseText);
      complain(answer.error, answer.remedy);
    } catch {
      complain("Reelproof refused the file.", "Reload this page and try again.");
    }
  });
  request.addEventListener("error", () => {
    finish();
    if (sent) {
      complain("The connection broke after the whole file was sent.",
        "See that Reelproof still runs and whether the library lists the file, before you hand it in again.");
    } else {
      complain("The connection broke before the whole file was sent.",
        "See that Reelproof still runs and that its disk is not full, then start again.");
    }
  });
  request.addEventListener("abort", () => {
    finish();
    byId("upload-status").textContent = "Upload cancelled";
  });
  byId("cancel").onclick = () => request.abort();
  const body = new FormData(form);
  byId("sent").value = 0;
  byId("upload-status").textContent = "Uploading";
  show("problem", false);
  show("sending", true);
  show("cancel", true);
  byId("start").disabled = true;
  input.disabled = true;
  request.send(body);
}

input.addEventListener("change", choose);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (choose()) send();
});

// The whole page takes a drop: a file dropped beside the target must not replace the page.
let depth = 0;
const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
document.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth += 1;
  form.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth -= 1;
  if (depth === 0) form.classList.remove("over");
});
document.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  form.classList.remove("over");
  if (input.disabled) return;
  if (event.dataTransfer.files.length > 1) {
    complain("More than one file was dropped.", "Hand in one file at a time.");
    return;
  }
  input.files = event.dataTransfer.files;
  choose();
});
