// Shows an answer while it comes. Without this script the form works all the same, and answers with a whole page.
"use strict";

const form = document.getElementById("ask");
const steps = document.getElementById("steps");
const text = document.getElementById("text");
const answer = document.getElementById("answer");
const button = form.querySelector("button");

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  button.disabled = true;
  steps.replaceChildren();
  text.replaceChildren();
  answer.replaceChildren();
  steps.hidden = text.hidden = false;
  try {
    const asked = { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/event-stream" } };
    const response = await fetch("/ask", asked);
    if (!response.ok || !response.body) {
      throw new Error((await response.json()).error || response.statusText);
    }
    let ended = false;
    for await (const [name, data] of events(response.body)) {
      ended = show(name, data) || ended;
    }
    if (!ended) throw new Error("The answer broke off.");
  } catch (error) {
    text.textContent = error.message;
  } finally {
    button.disabled = false;
  }
});

// One event; whether it is the last one.
function show(name, data) {
  if (name === "step") {
    text.textContent = ""; // what was said before a tool is used is no part of the answer
    const row = document.createElement("li");
    row.textContent = data.tool + " " + data.arguments;
    steps.append(row);
  } else if (name === "text") {
    text.textContent += data.delta;
  } else if (name === "done") {
    answer.innerHTML = data.html; // made by the server, cleaned there
    steps.hidden = text.hidden = true;
  } else if (name === "error") {
    text.textContent = [data.error, data.why, data.fix].filter(Boolean).join(" ");
  }
  return name === "done" || name === "error";
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    let end;
    while ((end = held.indexOf("\n\n")) >= 0) {
      const lines = held.slice(0, end).split("\n");
      held = held.slice(end + 2);
      const name = lines.find((line) => line.startsWith("event: "));
      const data = lines.find((line) => line.startsWith("data: "));
      if (name && data) yield [name.slice(7), JSON.parse(data.slice(6))];
    }
  }
}
