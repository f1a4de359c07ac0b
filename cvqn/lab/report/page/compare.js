// Two pictures under a slider, side by side or as error maps, which zoom and move together.

const ORIGINAL = "original";

class Comparison {
  constructor(element) {
    this.element = element;
    this.stages = element.querySelector(".stages");
    this.divider = element.querySelector(".divider");
    this.caption = element.querySelector(".caption");
    this.view = "slider";
    this.zoom = "fit";
    this.centre = [0.5, 0.5]; // of what is seen, in parts of the picture
    this.divider.addEventListener("input", () => this.place());
    new ResizeObserver(() => this.place()).observe(this.stages);
  }

  /** Shows two pictures of an image; each is {label, setting, bpp, ms_ssim, psnr_db, file} or the original. */
  show(image, left, right) {
    Object.assign(this, { image, left, right });
    this.element.style.setProperty("--ratio", image.width / image.height);
    this.element.classList.toggle("two", this.view !== "slider");
    this.stages.classList.toggle("two", this.view !== "slider");
    const pictures = [left, right];
    this.stages.replaceChildren(...(this.view === "slider" ? [this.sliding(pictures)] : pictures.map((one) => this.single(one))));
    const names = pictures.map(nameOf);
    this.divider.setAttribute("aria-valuetext", `left: ${names[0]}, right: ${names[1]}`);
    this.caption.replaceChildren(...describePair(left, right));
    this.place();
  }

  sliding([left, right]) {
    const stage = this.stage();
    this.layer(stage, left);
    this.layer(stage, right).classList.add("cut");
    html("span", { class: "tag left" }, stage, tagOf(left));
    html("span", { class: "tag right" }, stage, tagOf(right));
    const handle = html("div", { class: "handle" }, stage);
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      this.divider.value = ((event.clientX - box.left) / box.width) * 100;
      this.place();
    };
    drag(handle, follow);
    drag(stage, follow, () => this.zoom === "fit");
    return stage;
  }

  single(picture) {
    const stage = this.stage();
    if (this.view === "error") {
      const layer = this.layer(stage, { file: this.image.original, label: ORIGINAL });
      layer.classList.add("error");
      html("img", { src: picture.file, alt: `Error map of ${nameOf(picture)} on ${this.image.name}`, draggable: "false" }, layer);
      layer.firstChild.alt = "";
    } else this.layer(stage, picture);
    html("span", { class: "tag left" }, stage, tagOf(picture));
    return stage;
  }

  stage() {
    const stage = html("div", { class: "stage", tabindex: 0, role: "group", "aria-label": `${this.image.name}; zoomed in, arrow keys move both pictures` });
    let last = null;
    drag(stage, (event, began) => {
      if (began || !last) last = event;
      this.move((last.clientX - event.clientX) / stage.clientWidth, (last.clientY - event.clientY) / stage.clientHeight);
      last = event;
    }, () => this.zoom !== "fit");
    stage.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
      if (!step || this.zoom === "fit") return;
      event.preventDefault();
      this.move(...step);
    });
    return stage;
  }

  layer(stage, picture) {
    const layer = html("div", { class: "layer" }, stage);
    html("img", { src: picture.file, alt: `${this.image.name}, ${nameOf(picture)}`, draggable: "false" }, layer);
    return layer;
  }

  /** Moves what is seen by parts of the stage. */
  move(x, y) {
    const scale = this.scale();
    this.centre = [this.centre[0] + x / scale, this.centre[1] + y / scale];
    this.place();
  }

  scale() {
    const stage = this.stages.querySelector(".stage");
    return this.zoom === "fit" || !stage || !stage.clientWidth ? 1 : Math.max((this.zoom * this.image.width) / stage.clientWidth, 0.2);
  }

  place() {
    const stage = this.stages.querySelector(".stage");
    if (!stage) return;
    const scale = this.scale(), half = 0.5 / scale;
    this.centre = this.centre.map((part) => (half >= 0.5 ? 0.5 : Math.min(Math.max(part, half), 1 - half)));
    const [x, y] = [(half - this.centre[0]) * scale * stage.clientWidth, (half - this.centre[1]) * scale * stage.clientHeight];
    this.element.style.setProperty("--cut", `${this.divider.value}%`);
    this.element.style.setProperty("--view", `translate(${x}px, ${y}px) scale(${scale})`);
    this.element.style.setProperty("--rendering", this.zoom !== "fit" && this.zoom >= 1 ? "pixelated" : "auto");
    for (const one of this.stages.children) one.classList.toggle("zoomed", this.zoom !== "fit");
  }
}

const nameOf = (picture) => (picture.bpp ? `${picture.label} ${picture.setting}` : picture.label);
const tagOf = (picture) => (picture.bpp ? `${picture.label}, ${picture.bpp.toFixed(3)} bpp` : picture.label);

/** Rates, their difference and qualities in words. */
function describePair(left, right) {
  const about = (picture) => {
    if (!picture.bpp) return [html("b", {}, null, "Original"), "."];
    return [html("b", {}, null, nameOf(picture)), ` ${picture.bpp.toFixed(4)} bpp, MS-SSIM ${picture.ms_ssim.toFixed(4)}, PSNR ${picture.psnr_db.toFixed(2)} dB. `];
  };
  const parts = ["Left: ", ...about(left), " Right: ", ...about(right)];
  if (left.bpp && right.bpp) {
    const apart = 100 * (right.bpp / left.bpp - 1), far = Math.abs(apart) > 5;
    const more = apart >= 0 ? "more" : "fewer";
    parts.push(html("span", far ? { class: "apart" } : {}, null, `The right one takes ${Math.abs(apart).toFixed(1)} % ${more} bits${far ? ": no setting shown here is within 5 %" : ""}.`));
  }
  return parts;
}

/** Calls follow(event, began) while a pointer is held down on an element, if allowed() says so when it goes down. */
function drag(element, follow, allowed = () => true) {
  element.addEventListener("pointerdown", (event) => {
    if (!allowed() || event.button) return;
    event.stopPropagation();
    element.setPointerCapture(event.pointerId);
    follow(event, true);
    const move = (next) => follow(next, false);
    element.addEventListener("pointermove", move);
    element.addEventListener("lostpointercapture", () => element.removeEventListener("pointermove", move), { once: true });
  });
}

/** The picture of a codec at the rate of that rank, or the one nearest in rate to another picture. */
function pictureOf(image, codec, rank, near) {
  if (codec === ORIGINAL) return { label: ORIGINAL, file: image.original };
  const own = image.pictures.filter((one) => one.codec === codec);
  if (!own.length) return null;
  const target = near ?? ratesOf(image)[rank];
  return own.reduce((best, one) => (Math.abs(one.bpp - target) < Math.abs(best.bpp - target) ? one : best));
}

/** The rates of the paper's method on an image, rising; those of whatever there is while it has none. */
function ratesOf(image) {
  const own = image.pictures.filter((one) => one.codec === DATA.method);
  const rates = (own.length ? own : image.pictures).map((one) => one.bpp).sort((one, other) => one - other);
  return rates.length > 3 ? [rates[0], rates[rates.length >> 1], rates.at(-1)] : rates;
}

function pair(image, codecs, rank) {
  const left = pictureOf(image, codecs[0], Math.min(rank, ratesOf(image).length - 1));
  const right = left && pictureOf(image, codecs[1], rank, left.bpp ?? ratesOf(image)[Math.min(rank, ratesOf(image).length - 1)]);
  return left && right ? [left, right] : null;
}

if (DATA.images.length) {
  const middle = Math.max(DATA.rates.indexOf("middle"), 0);
  const first = DATA.images.find((one) => one.name === DATA.first.image) ?? DATA.images[0];
  const codecs = [...new Map(DATA.images.flatMap((image) => image.pictures).map((one) => [one.codec, one.label]))];
  const usual = [DATA.method, DATA.first.codec].map((codec, place) => (codecs.some(([id]) => id === codec) ? codec : codecs[Math.min(place, codecs.length - 1)][0]));
  new Comparison(document.getElementById("first-comparison")).show(first, ...pair(first, usual, middle));

  const controls = document.getElementById("gallery-controls");
  const gallery = new Comparison(document.getElementById("gallery-comparison"));
  const [left, right, rate] = ["left", "right", "rate"].map((name) => controls.querySelector(`[name=${name}]`));
  for (const [place, select] of [left, right].entries()) {
    for (const [id, label] of [...codecs, [ORIGINAL, "original"]]) html("option", { value: id }, select, label);
    select.value = usual[place];
  }
  const buttons = [...document.querySelectorAll(".thumbnails button")];
  let shown = first;
  const update = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.image === shown.name);
    const found = pair(shown, [left.value, right.value], rate.selectedIndex);
    if (found) gallery.show(shown, ...found);
    else gallery.caption.textContent = "This codec has no picture of this image.";
  };
  for (const button of buttons) button.addEventListener("click", () => { shown = DATA.images.find((one) => one.name === button.dataset.image); update(); });
  for (const select of [left, right, rate]) select.addEventListener("change", update);
  for (const radio of controls.querySelectorAll("[name=view]")) radio.addEventListener("change", () => { gallery.view = radio.value; update(); });
  for (const radio of controls.querySelectorAll("[name=zoom]")) {
    radio.addEventListener("change", () => { gallery.zoom = radio.value === "fit" ? "fit" : +radio.value; gallery.place(); });
  }
  new IntersectionObserver((entries, observer) => { // its pictures load when it comes near
    if (entries.some((one) => one.isIntersecting)) { observer.disconnect(); update(); }
  }, { rootMargin: "300px" }).observe(gallery.element);
}
