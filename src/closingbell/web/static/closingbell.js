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
      field.textContent = name === "left_s" ? duration(value) : value === null ? "–" : NUMBER.format(value);
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
offerThemes();
for (const section of document.querySelectorAll("[data-live]")) followRun(section);
