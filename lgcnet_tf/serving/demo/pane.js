// One model's answer: picture, classes over it, times and legend.

const template = document.getElementById("pane");

export class Pane {
  /**
   * @param model {name, version, path}
   * @param picture of `readPicture`
   * @param classes [{name, color}]
   * @param answer of `segment`
   * @param pointed called with (x, y) of a pixel, or with nothing
   */
  constructor(model, picture, classes, answer, pointed) {
    this.answer = answer;
    this.classes = classes;
    this.hidden = new Set();
    this.pointed = pointed;
    this.place = null;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.querySelector("h2").textContent = `${model.name}, version ${model.version}`;
    this.picture = this.find(".picture");
    this.counts = new Array(256).fill(0);
    for (const value of answer.mask) this.counts[value]++;
    for (const canvas of this.element.querySelectorAll("canvas")) {
      canvas.width = answer.width;
      canvas.height = answer.height;
    }
    const base = this.find(".base").getContext("2d");
    base.drawImage(picture.image, 0, 0, answer.width, answer.height);
    this.drawClasses();
    this.fillTimes();
    this.fillLegend();
    this.describe();
    this.listen();
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  classAt(x, y) {
    return this.answer.mask[y * this.answer.width + x];
  }

  nameOf(value) {
    return this.classes[value]?.name ?? `class ${value}`;
  }

  colorOf(value) {
    // Without colours of its own a class gets one by the golden angle.
    const color = this.classes[value]?.color;
    return color ?? fromHue((value * 137.5) % 360);
  }

  setOpacity(share) {
    this.find(".classes").style.opacity = share;
  }

  /** Shows the class of a pixel; with nothing, none. */
  show(x, y) {
    const inside = x !== undefined && x < this.answer.width && y < this.answer.height;
    this.place = inside ? [x, y] : null;
    const under = this.find(".under");
    const cross = this.find(".cross");
    cross.hidden = !inside;
    for (const row of this.element.querySelectorAll("tr.hit")) row.classList.remove("hit");
    if (!inside) {
      under.textContent = "\u00a0";
      return;
    }
    const value = this.classAt(x, y);
    under.replaceChildren(swatch(this.colorOf(value)), `${this.nameOf(value)} at ${x}, ${y}`);
    cross.style.left = `${((x + 0.5) / this.answer.width) * 100}%`;
    cross.style.top = `${((y + 0.5) / this.answer.height) * 100}%`;
    this.find(`tr[data-class="${value}"]`)?.classList.add("hit");
  }

  drawClasses() {
    const { mask, width, height } = this.answer;
    const pixels = new ImageData(width, height);
    const colors = Array.from({ length: 256 }, (_, value) => this.colorOf(value));
    for (let i = 0; i < mask.length; i++) {
      pixels.data.set(colors[mask[i]], 4 * i);
      pixels.data[4 * i + 3] = this.hidden.has(mask[i]) ? 0 : 255;
    }
    this.find(".classes").getContext("2d").putImageData(pixels, 0, 0);
  }

  fillTimes() {
    const times = this.answer.times;
    for (const cell of this.element.querySelectorAll("[data-time]")) {
      const ms = times[cell.dataset.time];
      cell.textContent = `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
    }
    for (const name of ["upload", "network", "answer"]) {
      this.find(`.bar .${name}`).style.flexGrow = times[name];
    }
  }

  shares() {
    return [...this.counts.keys()]
      .filter((value) => this.counts[value])
      .sort((a, b) => this.counts[b] - this.counts[a])
      .map((value) => [value, (100 * this.counts[value]) / this.answer.mask.length]);
  }

  fillLegend() {
    for (const [value, share] of this.shares()) {
      const row = this.find("tbody").insertRow();
      row.dataset.class = value;
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) this.hidden.delete(value);
        else this.hidden.add(value);
        this.drawClasses();
      });
      const label = document.createElement("label");
      label.append(box, swatch(this.colorOf(value)), this.nameOf(value));
      row.insertCell().append(label);
      row.insertCell().textContent = percent(share);
    }
  }

  describe() {
    const largest = this.shares().slice(0, 4);
    const text = largest.map(([value, s]) => `${this.nameOf(value)} ${Math.round(s)} %`);
    this.picture.setAttribute("aria-label", `Classes of the picture: ${text.join(", ")}`);
  }

  listen() {
    const { width, height } = this.answer;
    const clamp = (value, side) => Math.min(side - 1, Math.max(0, value));
    const follow = (event) => {
      const box = this.picture.getBoundingClientRect();
      this.pointed(
        clamp(Math.floor(((event.clientX - box.left) / box.width) * width), width),
        clamp(Math.floor(((event.clientY - box.top) / box.height) * height), height),
      );
    };
    this.picture.addEventListener("pointermove", follow);
    this.picture.addEventListener("pointerdown", follow);
    this.picture.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.pointed();
    });
    this.picture.addEventListener("blur", () => this.pointed());
    this.picture.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 : 1;
      const move = {
        ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
      }[event.key];
      if (!move) return;
      event.preventDefault();
      const [x, y] = this.place ?? [width >> 1, height >> 1];
      this.pointed(clamp(x + move[0], width), clamp(y + move[1], height));
    });
  }
}

/** The share of pixels with the same class name, in percent; null of other sizes. */
export function agreement(one, other) {
  const [a, b] = [one.answer, other.answer];
  if (a.width !== b.width || a.height !== b.height) return null;
  let same = 0;
  for (let i = 0; i < a.mask.length; i++) {
    same += one.nameOf(a.mask[i]) === other.nameOf(b.mask[i]);
  }
  return (100 * same) / a.mask.length;
}

function percent(share) {
  if (share < 0.05) return "< 0.1 %";
  return `${share < 0.95 ? share.toFixed(1) : Math.round(share)} %`;
}

function swatch(color) {
  const mark = document.createElement("i");
  mark.style.backgroundColor = `rgb(${color.join(" ")})`;
  return mark;
}

function fromHue(hue) {
  const channel = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.5 - 0.35 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
