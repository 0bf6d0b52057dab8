// From what a person gives to a PNG or JPEG file that the server takes.

const MOST_PIXELS = 2e6;

/**
 * Reads a picture of any kind that the browser knows.
 *
 * Returns {file, image, note}: what to send, an ImageBitmap of just that, and a
 * sentence where it is not the file as given. PNG and JPEG go as they are.
 */
export async function readPicture(given) {
  let image;
  try {
    image = await createImageBitmap(given);
  } catch {
    throw new Error(`${given.name ?? "This"} is no picture that the browser can read.`);
  }
  const asItIs = ["image/png", "image/jpeg"].includes(given.type);
  const pixels = image.width * image.height;
  if (asItIs && pixels <= MOST_PIXELS) return { file: given, image, note: "" };
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / pixels));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(image.width * scale));
  canvas.height = Math.max(1, Math.floor(image.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const note = `Sent as ${canvas.width} × ${canvas.height} pixels.`;
  return { file: await encode(canvas), image: await createImageBitmap(canvas), note };
}

/** What the camera sees now, as a file. */
export async function shot(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const file = await encode(canvas);
  return new File([file], "camera.jpg", { type: file.type });
}

/** The first picture of a drop or a paste, or null. */
export function pictureOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}

function encode(canvas) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
}
