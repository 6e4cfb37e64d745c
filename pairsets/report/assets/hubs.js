// The hub faces: pictures that the gallery has embedded.
for (const image of document.querySelectorAll("[data-hub]")) {
  const face = data.paths.indexOf(image.dataset.hub);
  if (face >= 0) image.src = pictureOf(face);
}
