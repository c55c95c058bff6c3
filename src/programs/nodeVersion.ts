/** Which versions of Node run the programs. Built for old versions too (`scripts/programs.ts`), so it imports nothing. */

/** The oldest Node that has all functions that the programs use; `engines` in package.json. */
const oldest = { major: 22, minor: 19 }

/** Returns why this version of Node, such as `v20.20.2`, cannot run a program; `undefined` if it can. */
export const refusalOf = (program: string, version: string): string | undefined => {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number)
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor)
    ? undefined
    : `${program} cannot run on Node ${version}: it needs Node ${oldest.major}.${oldest.minor} or later; install a newer version of Node`
}
