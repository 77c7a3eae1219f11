"use strict";
(() => {
  const descriptions = JSON.parse(document.getElementById("descriptions").textContent);
  const choice = document.getElementById("host");
  const show = () => {
    const description = structuredClone(descriptions[choice.value]);
    const element = document.createElement("div");
    document.getElementById("viewer").replaceChildren(element);
    if (window.Redoc) Redoc.init(description, { disableSearch: true }, element);
    else if (window.SwaggerUIBundle) SwaggerUIBundle({ spec: description, domNode: element });
    else if (window.Scalar) Scalar.createApiReference(element, { content: description, withDefaultFonts: false });
    else element.textContent = "The script is not a viewer that is known here: Redoc, Swagger UI or Scalar.";
  };
  choice.addEventListener("change", show);
  if (choice.value) show();
})();
