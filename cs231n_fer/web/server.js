// Questions to the server, and its answers. Errors carry the server's own words.

export const about = () => ask("about", { method: "GET" });

// photo    a Blob of any file that holds a picture
export const readPhoto = (photo, whole, live) => ask(
  `photo?whole=${Number(whole)}&live=${Number(live)}`,
  { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: photo });

// wanted    {index, units} or {index, expression} of a synthetic face
export const readFace = (wanted) => ask("face", {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer; is it still running?");
  }
  if (response.ok) return response.json();
  const text = await response.text();
  throw new Error(response.status === 422 ? JSON.parse(text).error : text);
}

// Levels from 0 to 255 as the server sends them: {width, height, bytes in base 64}.
export const levelsOf = (sent) => Uint8Array.from(atob(sent.bytes), (c) => c.charCodeAt(0));

// Returns a function that runs `work` on the latest argument, one run after the other: what comes
// while one is running replaces what waits.
export function latest(work) {
  let running = false;
  let waiting = null;
  return async function run(argument) {
    waiting = { argument };
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = waiting.argument;
        waiting = null;
        await work(next);
      }
    } finally {
      running = false;
    }
  };
}
