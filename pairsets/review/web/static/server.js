// Questions to the server, in the name of the person who judges.
const PATIENCE = 15_000; // milliseconds until an answer is taken for lost

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

// The server refused, and says why.
export class Refusal extends Error {
  constructor(status, { error, code, work, pair } = {}) {
    super(error ? sentence(error) : `The server refused (${status}).`);
    Object.assign(this, { status, code, work, pair });
  }
}
// Nobody answered.
export class Silence extends Error {
  constructor() {
    super("The server does not answer.");
  }
}

let annotator = null;
export const speakAs = (name) => {
  annotator = name;
};

export const speaker = () => annotator;

export const ask = async (path, body) => {
  const headers = { Accept: "application/json" };
  // A header holds no letters beyond ASCII.
  if (annotator !== null) headers["X-Annotator"] = encodeURIComponent(annotator);
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  let said;
  try {
    answer = await fetch(`/api${path}`, {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
    said = await answer.json();
  } catch {
    throw new Silence(); // no connection, or it broke off, or another program answered
  }
  if (!answer.ok) throw new Refusal(answer.status, said);
  return said;
};

export const query = (values) => {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null);
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
};

// `crypto.randomUUID` is missing where the page comes over plain HTTP from another machine.
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
