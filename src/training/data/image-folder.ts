/**
 * Folders of images: a sub-folder for each class, as `image_dataset_from_directory` of Keras takes them. It runs under Node
 * only.
 *
 * ```
 * flowers/  rose/  a.png  b.jpg ...           or, with a test set of its own:   flowers/  train/  rose/  a.png ...
 *           tulip/ c.png ...                                                              test/   rose/  d.png ...
 * ```
 *
 * Classes are numbered by their names in alphabetical order, and images are read in that order too. Every image becomes
 * red, green and blue; grey is repeated.
 *
 * @module
 */
import { join } from "node:path";
import { FormatError } from "../../formats/format-error.js";
import { decodeImage, resizeToNearest } from "../../formats/images/decode.js";
import { type Dataset, type DataSplit, dataset, imageBytes } from "../dataset.js";
import { listDirectory, readFile, statOf } from "./files.js";

/** Height and width. */
export type ImageSize = readonly [height: number, width: number];

const CHANNELS = 3;
const IMAGE = /\.(?:png|jpe?g)$/i;

/**
 * The images below `path`; nothing where it has no sub-folder.
 *
 * @param size - What all images are resized to, by the nearest pixel. Without it they must have one size.
 * @throws FormatError when a folder has no image or something else, an image cannot be decoded, sizes differ, or the
 *   classes of the test set are not those of the training set.
 */
export function readImageFolder(path: string, size?: ImageSize): DataSplit | undefined {
  const folders = foldersIn(path);
  if (folders.length === 0) return undefined;
  if (!(folders.length === 2 && folders.includes("train") && folders.includes("test"))) {
    return { training: readClasses(path, path, folders, size), test: undefined };
  }
  const [trainPath, testPath] = [join(path, "train"), join(path, "test")];
  const [classes, testClasses] = [foldersIn(trainPath), foldersIn(testPath)];
  if (classes.length === 0 || classes.join("/") !== testClasses.join("/")) {
    throw new FormatError(
      "images",
      `${testPath} must have the classes of ${trainPath}, ${listOf(classes)}.`,
      listOf(testClasses),
    );
  }
  const training = readClasses(`${path}, training set`, trainPath, classes, size);
  const [, height, width] = training.shape;
  return { training, test: readClasses(`${path}, test set`, testPath, classes, [height, width], size === undefined) };
}

function listOf(names: readonly string[]): string {
  if (names.length === 0) return "no sub-folder";
  return names.length > 8 ? `${names.slice(0, 8).join(", ")}, ...` : names.join(", ");
}

function foldersIn(path: string): readonly string[] {
  return listDirectory(path).filter((name) => statOf(join(path, name))?.isDirectory());
}

function readClasses(
  name: string,
  path: string,
  classNames: readonly string[],
  size: ImageSize | undefined,
  mustFit = size === undefined,
): Dataset {
  const files = classNames.flatMap((className, label) =>
    imagesIn(join(path, className)).map((file) => ({ file, label })),
  );
  const [height, width] = size ?? sizeOf(files[0].file);
  const bytes = height * width * CHANNELS;
  const images = imageBytes(files.length * bytes);
  files.forEach(({ file }, n) => {
    const image = decodeImage(file, readFile(file));
    if (mustFit && (image.height !== height || image.width !== width)) {
      throw new FormatError(
        "images",
        `${file} must be ${height}x${width} as the images before it, unless a size is given to which all are resized.`,
        `${image.height}x${image.width}`,
      );
    }
    images.set(resizeToNearest(image, height, width).rgb, n * bytes);
  });
  const labels = Int32Array.from(files, ({ label }) => label);
  return dataset({ name, images, shape: [files.length, height, width, CHANNELS], labels, classNames });
}

function sizeOf(file: string): ImageSize {
  const { height, width } = decodeImage(file, readFile(file));
  return [height, width];
}

/** The paths of the images in the folder of a class. */
function imagesIn(folder: string): readonly string[] {
  const names = listDirectory(folder);
  const other = names.find((name) => !IMAGE.test(name));
  if (other !== undefined || names.length === 0) {
    throw new FormatError(
      "images",
      `${folder} must hold PNG and JPEG images of a class, and nothing else.`,
      other ?? "an empty folder",
    );
  }
  return names.map((name) => join(folder, name));
}
