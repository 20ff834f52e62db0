// Live parts only: every page can be read and used without this file.

const NUMBER = new Intl.NumberFormat("en");

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

// Instants stand in New York's time; the reader's own comes beside it on pointing or focus.
function addLocalTimes() {
  const own = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.title = `${own.format(new Date(time.dateTime))} here`;
  }
}

// Where the reader's clock shows another time than those that the page tells, it stands before them.
function addTimesHere() {
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const whole = { ...time, year: "numeric", month: "2-digit", day: "2-digit" };
  const told = (at, form, timeZone) => new Intl.DateTimeFormat("sv", { ...form, timeZone }).format(at);
  for (const span of document.querySelectorAll("[data-here]")) {
    const at = new Date(span.dataset.here);
    const [here, newYork, utc] = [undefined, "America/New_York", "UTC"].map((zone) => told(at, whole, zone));
    if (here === newYork || here === utc) continue;
    const isOtherDay = here.slice(0, 10) !== newYork.slice(0, 10);
    span.prepend(`${isOtherDay ? here : told(at, time)} here, `);
  }
}

// How far off something is, in the words of the server, while the page stays open; by the server's clock.
function inWords(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return seconds <= 0 ? "now" : "in less than a minute";
  if (minutes < 60) return `in ${minutes} min`;
  if (hours < 10 && minutes % 60) return `in ${hours} h ${minutes % 60} min`;
  return hours < 48 ? `in ${hours} h` : `in ${Math.floor(hours / 24)} days`;
}

function keepWords() {
  const now = document.querySelector("[data-now]");
  if (!now) return;
  const began = performance.now();
  setInterval(() => {
    const at = Date.parse(now.dataset.now) + performance.now() - began;
    for (const span of document.querySelectorAll("[data-ahead]")) {
      span.textContent = inWords((Date.parse(span.dataset.ahead) - at) / 1000);
    }
  }, 15000);
}

function followRun(section) {
  const source = new EventSource(section.dataset.live);
  const bar = section.querySelector("progress");
  source.onmessage = (event) => {
    const told = JSON.parse(event.data);
    if (told.planned) bar.max = told.planned;
    bar.value = told.processed;
    for (const field of section.querySelectorAll("[data-live-field]")) {
      const name = field.dataset.liveField;
      const value = told[name];
      if (name === "left_s") field.textContent = duration(value);
      else field.textContent = typeof value === "number" ? NUMBER.format(value) : (value ?? "–");
    }
  };
  source.addEventListener("ended", () => {
    source.close();
    window.location.reload();
  });
}

function offerThemes() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const say = () => (button.textContent = isDark() ? "Light" : "Dark");
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    document.cookie = `closingbell_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    say();
    document.dispatchEvent(new Event("themechange"));
  });
  say();
}

addLocalTimes();
addTimesHere();
keepWords();
offerThemes();
for (const section of document.querySelectorAll("[data-live]")) followRun(section);
