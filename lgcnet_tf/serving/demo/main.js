// What a person does: choose models, give a picture, look.

import { Pane, agreement } from "./pane.js";
import { pictureOf, readPicture, shot } from "./picture.js";
import { ServerError, classes, models, segment, useToken } from "./rest.js";

const at = (id) => document.getElementById(id);
let given = null; // {file, image, note, name}
let panes = [];
let asked = 0; // an answer that comes after a newer question is dropped
let stream = null;

function say(text, wrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
}

function fail(error) {
  if (error instanceof ServerError && error.status === 401) {
    at("access").hidden = false;
    at("token").focus();
    say("A token is needed.", true);
  } else {
    say(error.message, true);
  }
}

async function fillMenus() {
  const listed = (await models()).flatMap(({ name, versions }) =>
    versions.map((version) => `${name}/versions/${version}`),
  );
  for (const [id, first] of [["model", []], ["other", [""]]]) {
    const before = at(id).value;
    const options = [...first, ...listed].map((path) => {
      const [name, , version] = path.split("/");
      return new Option(path ? `${name}, version ${version}` : "no other", path);
    });
    at(id).replaceChildren(...options);
    if (listed.includes(before)) at(id).value = before;
  }
  at("access").hidden = true;
  say("Ready.");
}

function chosen(id) {
  const [name, , version] = at(id).value.split("/");
  return at(id).value && { name, version, path: `/v1/models/${at(id).value}` };
}

async function run() {
  if (!given || !at("model").value) return;
  const mine = ++asked;
  const wanted = [chosen("model"), chosen("other")].filter(Boolean);
  say("Segmenting …");
  at("result").setAttribute("aria-busy", "true");
  try {
    const made = [];
    for (const model of wanted) {
      const known = await classes(model); // asked before, so that it is not timed
      const answer = await segment(model, given.file);
      made.push(new Pane(model, given, known, answer, point));
    }
    if (mine !== asked) return;
    show(made);
    say([`${given.name}: done.`, given.note].filter(Boolean).join(" "));
  } catch (error) {
    if (mine === asked) fail(error);
  } finally {
    at("result").removeAttribute("aria-busy");
  }
}

function show(made) {
  panes = made;
  at("panes").className = made.length > 1 ? "two" : "one";
  at("panes").replaceChildren(...made.map((pane) => pane.element));
  setOpacity();
  const same = made.length > 1 ? agreement(...made) : null;
  at("agreement").textContent =
    same === null ? "" : `The same class on ${same.toFixed(1)} % of the pixels`;
  at("result").hidden = false;
  at("drop").classList.add("small");
}

function point(x, y) {
  for (const pane of panes) pane.show(x, y);
}

function setOpacity() {
  const percent = at("opacity").value;
  at("opacity-value").textContent = `${percent} %`;
  for (const pane of panes) pane.setOpacity(percent / 100);
}

async function take(file) {
  if (!file) {
    say("There is no picture in it.", true);
    return;
  }
  try {
    given = { ...(await readPicture(file)), name: file.name || "The pasted picture" };
  } catch (error) {
    fail(error);
    return;
  }
  await run();
}

async function pasteFromClipboard() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (type) return await take(new File([await item.getType(type)], "", { type }));
    }
    say("There is no picture on the clipboard.", true);
  } catch {
    say("The browser does not give the clipboard; press Ctrl+V instead.", true);
  }
}

async function openCamera() {
  if (!navigator.mediaDevices) {
    say("A browser gives the camera only to pages of this machine or over TLS.", true);
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment" },
    });
  } catch (error) {
    say(`No camera: ${error.message}.`, true);
    return;
  }
  at("video").srcObject = stream;
  at("viewfinder").hidden = false;
  at("shoot").focus();
}

function closeCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = at("video").srcObject = null;
  at("viewfinder").hidden = true;
}

at("file").addEventListener("change", () => {
  take(at("file").files[0]);
  at("file").value = ""; // so that the same file can be chosen again
});
at("paste").addEventListener("click", pasteFromClipboard);
at("camera").addEventListener("click", openCamera);
at("close").addEventListener("click", closeCamera);
at("shoot").addEventListener("click", async () => {
  if (!at("video").videoWidth) return;
  const file = await shot(at("video"));
  closeCamera();
  await take(file);
});
at("opacity").addEventListener("input", setOpacity);
for (const id of ["model", "other"]) at(id).addEventListener("change", run);
at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(at("token").value);
  fillMenus().then(run, fail);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) take(pictureOf(event.clipboardData));
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", () => at("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  take(pictureOf(event.dataTransfer));
});

fillMenus().catch(fail);
