/** Lays JSON out in lines without a change of its values: numbers keep all digits, and objects all names. Pure. */

/** Deeper JSON stays as it is: each of its lines would begin with very many spaces. */
const maxDepth = 100

const isSpace = (character: string): boolean => " \t\n\r".includes(character)

/** The position behind the string that begins at `start`. */
const endOfString = (json: string, start: number): number => {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === "\\") at++
    else if (json[at] === "\"") return at + 1
  }
  return json.length
}

const afterSpace = (json: string, start: number): number => {
  let at = start
  while (at < json.length && isSpace(json[at]!)) at++
  return at
}

/** Returns the text with two spaces per level, and strings without needless escapes; `undefined` if it is not JSON or too deep. */
export const layOut = (json: string): string | undefined => {
  try {
    JSON.parse(json)
  } catch {
    return undefined
  }
  const out: Array<string> = []
  let depth = 0
  const line = (): string => `\n${"  ".repeat(depth)}`
  for (let at = 0; at < json.length;) {
    const character = json[at]!
    if (character === "\"") {
      const end = endOfString(json, at)
      out.push(JSON.stringify(JSON.parse(json.slice(at, end))))
      at = end
      continue
    }
    at++
    if (character === "{" || character === "[") {
      const next = afterSpace(json, at)
      if (json[next] === "}" || json[next] === "]") {
        out.push(character, json[next])
        at = next + 1
        continue
      }
      if (++depth > maxDepth) return undefined
      out.push(character, line())
    } else if (character === "}" || character === "]") {
      depth--
      out.push(line(), character)
    } else if (character === ",") {
      out.push(character, line())
    } else if (character === ":") {
      out.push(": ")
    } else if (!isSpace(character)) {
      out.push(character)
    }
  }
  return out.join("")
}
