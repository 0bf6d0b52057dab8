// Asking the server: its models, a model's classes, the classes of a picture.

/** What the server says is wrong, as one line; `status` is that of HTTP. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

let token = "";
const classesOf = new Map();

export function useToken(text) {
  token = text.trim();
}

/** [{name, versions}], the newest version first. */
export async function models() {
  return (await ask("/demo/models")).value.models;
}

/** The model's classes: names and [red, green, blue] of each. */
export function classes(model) {
  if (!classesOf.has(model.path)) {
    const known = readClasses(model);
    known.catch(() => classesOf.delete(model.path));
    classesOf.set(model.path, known);
  }
  return classesOf.get(model.path);
}

/**
 * The class of each pixel of a PNG or JPEG file.
 *
 * Returns {mask, width, height, times}: a Uint8Array, row by row, and milliseconds.
 */
export async function segment(model, file) {
  const body = JSON.stringify({
    signature_name: "encoded",
    inputs: [{ b64: await base64(file) }],
    output_filter: ["mask", "size"],
  });
  const start = performance.now();
  const { value, arrived, server } = await ask(`${model.path}:predict`, body);
  const [height, width] = value.outputs.size[0];
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    mask.set(value.outputs.mask[0][y].slice(0, width), y * width);
  }
  const end = performance.now();
  const inside = (server.queue ?? 0) + (server.network ?? 0) + (server.answer ?? 0);
  const times = {
    upload: Math.max(0, arrived - start - inside) + (server.queue ?? 0),
    network: server.network ?? 0,
    answer: (server.answer ?? 0) + end - arrived,
    together: end - start,
  };
  return { mask, width, height, times };
}

async function readClasses(model) {
  const body = JSON.stringify({ signature_name: "classes", inputs: [0] });
  try {
    const { outputs } = (await ask(`${model.path}:predict`, body)).value;
    return outputs.names[0].map((name, i) => ({ name, color: outputs.colors[0][i] }));
  } catch (error) {
    if (!(error instanceof ServerError) || error.status !== 400) throw error;
    return []; // exported before models said their classes
  }
}

async function ask(path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let answer;
  try {
    const method = body === undefined ? "GET" : "POST";
    answer = await fetch(path, { method, body, headers });
  } catch {
    throw new ServerError("The server does not answer.", 0);
  }
  const arrived = performance.now();
  const server = {};
  const timing = answer.headers.get("Server-Timing") ?? "";
  for (const [, name, ms] of timing.matchAll(/(\w+);dur=([\d.]+)/g)) {
    server[name] = Number(ms);
  }
  let value;
  try {
    value = await answer.json();
  } catch {
    throw new ServerError(`The answer is broken (${answer.status}).`, answer.status);
  }
  if (!answer.ok) throw new ServerError(value.error, answer.status);
  return { value, arrived, server };
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new ServerError("The file cannot be read.", 0));
    reader.readAsDataURL(file);
  });
}
