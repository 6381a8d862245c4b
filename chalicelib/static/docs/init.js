// Shows openapi.json, which lies beside this page, in Swagger UI. Requests go to the deployment
// that served the page, whatever its host, port and stage are.
"use strict";

const deployment = new URL(".", window.location.href).href.replace(/\/$/, "");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function followColorScheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

// Swagger UI would print links between operations as raw expressions.
function withoutLinks(spec) {
  for (const item of Object.values(spec.paths)) {
    for (const operation of Object.values(item)) {
      for (const response of Object.values(operation.responses)) {
        delete response.links;
      }
    }
  }
  return spec;
}

async function show() {
  const response = await fetch("openapi.json");
  if (!response.ok) {
    throw new Error(`openapi.json: ${response.status}`);
  }
  const spec = withoutLinks(await response.json());
  spec.servers = [{ url: deployment, description: "The deployment that serves this page" }];
  SwaggerUIBundle({
    spec,
    dom_id: "#reference",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    docExpansion: "list",
    filter: true,
    persistAuthorization: false,
    showExtensions: false,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
}

function report(error) {
  const text = document.createElement("p");
  text.className = "loading";
  text.textContent = `The reference could not be loaded (${error.message}). Reload the page.`;
  document.getElementById("reference").replaceChildren(text);
}

followColorScheme();
dark.addEventListener("change", followColorScheme);
show().catch(report);
