import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")

/** Phrases that comments, strings and documents must not contain, and the wording to use. A space matches any white space. */
const phrases: ReadonlyArray<readonly [pattern: string, instead: string]> = [
  ["\\b(that|which) (is|are|was) none\\b", "is not a valid ..."],
  ["\\b(is|are|was) none of\\b", "is not a ..."],
  ["(?<!\\bthere )\\bis no (?!longer|limit|more|need|other)[a-z]+", "is not a valid ..."],
  ["\\bthere is not\\b", "does not exist"],
  ["\\bwhat there is\\b", "the noun: the topics, the result"],
  ["\\bwhoever\\b", "any client, any reply"],
  ["\\b(no|some|any|every)(body|one)\\b", "the role: client, consumer, operator"],
  ["\\bwho\\b", "the role: client, consumer, operator"],
  ["\\b(he|him|himself|his)\\b", "it, its"],
  ["\\bone's\\b", "your, its"],
  ["\\bone is to\\b", "the noun: the changes"],
  ["\\bstrangers?\\b", "untrusted client, unknown producer"],
  ["\\bintroduces? (himself|itself|themselves)\\b", "sends IDENTIFY"],
  ["\\b(is|are|be|been|was|were) told\\b", "receives, the response includes"],
  ["\\b(is|are|be|been|was|were) asked\\b", "receives a request"],
  ["\\banswer(s|ed|ing)?\\b", "respond, response, reply; acknowledge a message"],
  ["\\bwhat (came|becomes|became) of\\b", "the result of"],
  ["\\btime-outs?\\b", "timeout"],
  ["\\bfor ever\\b", "indefinitely, forever"],
  ["\\bunless (\\S+ )?(said|says) otherwise\\b", "default: ..."],
  ["\\b(comes?|came|coming) again\\b", "is redelivered"],
  ["\\bsa(y|ys|id) of (itself|themselves)\\b", "states, sends in IDENTIFY"],
  ["\\bdisk's words\\b", "the operating system's message"],
  ["\\bagain and again\\b", "repeatedly"],
  ["\\bwithout end\\b", "without limit"],
  ["\\bto be had\\b", "available"],
  ["\\bseldom\\b", "rarely"],
  ["\\bin vain\\b", "without success"],
  ["\\bon the spot\\b", "immediately"],
  ["\\bnonsense\\b", "invalid"],
  ["\\bdawdles?\\b", "is slow"],
  ["\\bare at work\\b", "run"],
  ["\\bmust be a text\\b", "must be a string"],
  ["\\ba? lists? of texts\\b", "a list of strings"],
  ["\\bhas not been heard of\\b", "timeout"],
  ["\\bsection \\d+ of the\\b", "a link to a heading in docs/protocol"]
]

const rules = phrases.map(([pattern, instead]) => ({
  pattern: new RegExp(pattern.replaceAll(" ", "\\s+"), "gi"),
  instead
}))

/** Replaces matches by spaces, so that positions in the text remain. */
const blank = (text: string, pattern: RegExp): string => text.replaceAll(pattern, (match) => " ".repeat(match.length))

const codeSpan = /`[^`\n]*`/g
const codeBlock = /^```[^]*?^```/gm
const substitution = /\$\{[^{}]*\}/g
const url = /\bhttps?:\/\/\S+|\b[\w./-]+\.(?:md|ts|tsx)\b/g
const commentPrefix = /\n[ \t]*(?:\*(?!\/)|\/\/)/g
const commentsAndStrings = /\/\*[^]*?\*\/|\/\/[^\n]*(?:\n[ \t]*\/\/[^\n]*)*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g
const jsxText = /(?<=>)[^<>{}=;]+(?=<)/g

/** A published test vector of XXH32. */
const quotation = /Nobody inspects the spammish repetition/g

interface Prose {
  readonly text: string
  readonly position: number
}

/** The comments of a source file, its strings of several words and, in TSX, the text of elements. */
const proseOfSource = (source: string, isTsx: boolean): ReadonlyArray<Prose> => {
  const chunks = Array.from(source.matchAll(commentsAndStrings), ({ 0: text, index: position }) => ({ text, position }))
    .filter(({ text }) => text.startsWith("/") || text.includes(" "))
    .map(({ position, text }) => ({
      text: text.startsWith("/") ? blank(blank(text, commentPrefix), codeSpan) : blank(text, substitution),
      position
    }))
  if (!isTsx) return chunks
  return [...chunks, ...Array.from(source.matchAll(jsxText), ({ 0: text, index: position }) => ({ text, position }))]
}

const proseOf = (path: string, source: string): ReadonlyArray<Prose> =>
  path.endsWith(".md")
    ? [{ text: blank(blank(source, codeBlock), codeSpan), position: 0 }]
    : proseOfSource(source, path.endsWith(".tsx"))

/** Lists the forbidden phrases of a file as `line: phrase (better wording)`. */
const problemsOf = (path: string, source: string): ReadonlyArray<string> =>
  proseOf(path, source).flatMap(({ position, text }) =>
    rules.flatMap(({ instead, pattern }) =>
      Array.from(blank(blank(text, url), quotation).matchAll(pattern), ({ 0: phrase, index }) => {
        const line = source.slice(0, position + index).split("\n").length
        return `${line}: "${phrase.replaceAll(/\s+/g, " ")}" (write: ${instead})`
      })
    )
  )

const filesBelow = (directory: string): ReadonlyArray<string> =>
  readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:md|tsx?)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))

const files = [
  ...["src", "test", "bench", "docs", "examples"].flatMap(filesBelow).filter((path) => path !== import.meta.filename),
  ...["README.md", "AGENTS.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"].map((name) => join(root, name))
]

describe("the English of sources, tests and documents", () => {
  it("no comment, string or document contains a phrase that the style guide forbids", () => {
    const problems = files.flatMap((path) =>
      problemsOf(path, readFileSync(path, "utf8")).map((problem) => `${relative(root, path)}:${problem}`)
    )
    assert.deepStrictEqual(problems, [])
  })

  it("a forbidden phrase is found in comments, strings, element text and documents, but not in code", () => {
    const found = (path: string, source: string) => problemsOf(path, source).map((problem) => problem.split(" (")[0])
    assert.deepStrictEqual(found("a.ts", "// a\n// value that is\n// none\nconst whoever = who"), [`2: "that is none"`])
    assert.deepStrictEqual(found("a.ts", "/**\n * A time-out,\n * `time-out`.\n */"), [`2: "time-out"`])
    assert.deepStrictEqual(found("a.ts", `const a = ["nobody", "nobody reads"]`), [`1: "nobody"`])
    assert.deepStrictEqual(found("a.ts", "const a = `nobody ${b}`"), [`1: "nobody"`])
    assert.deepStrictEqual(found("a.tsx", "<p>\n  Nobody\n</p>"), [`2: "Nobody"`])
    assert.deepStrictEqual(found("a.md", "See `nobody`.\n\n```\nnobody\n```\n\nNobody."), [`7: "Nobody"`])
  })
})
