/**
 * Renders the templates of the Helm chart, as `helm template` does, for the part of Helm's language that the chart uses: values,
 * `default`, `quote`, `toYaml`, `nindent`, `if`, `with`, and `range` over lists and `until`. Anything else is an error.
 */
import { Yaml } from "effect/encoding"
import * as Fs from "node:fs"
import * as Path from "node:path"

const chart = Path.resolve(import.meta.dirname, "../../packaging/helm/effect-nsq")

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Parses a file of Kubernetes: documents between lines of `---`. */
export const documents = (text: string): ReadonlyArray<unknown> =>
  text.split(/^---$/m).map((part) => Yaml.parse(part)).filter((document) => document !== null && document !== undefined)

interface Scope {
  readonly root: unknown
  readonly dot: unknown
  readonly variables: Readonly<Record<string, unknown>>
}

const at = (value: unknown, path: string): unknown =>
  path.split(".").filter((name) => name !== "").reduce<unknown>((value, name) => {
    if (!isObject(value) || !(name in value)) throw new Error(`the chart has no value ${path}`)
    return value[name]
  }, value)

/** Values are maps, lists, strings, numbers and booleans; JSON is YAML. */
const toYaml = (value: unknown): string =>
  isObject(value)
    ? Object.entries(value).map(([key, item]) => `${key}: ${JSON.stringify(item)}`).join("\n")
    : Array.isArray(value)
    ? value.map((item) => `- ${JSON.stringify(item)}`).join("\n")
    : JSON.stringify(value)

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === false || value === "" || value === 0 ||
  (Array.isArray(value) && value.length === 0) || (isObject(value) && Object.keys(value).length === 0)

const evaluate = (expression: string, scope: Scope): unknown => {
  const [first = "", ...pipes] = expression.split("|").map((part) => part.trim())
  return pipes.reduce<unknown>((value, pipe) => {
    const [name = "", argument = ""] = pipe.split(/\s+/)
    if (name === "quote") return JSON.stringify(String(value))
    if (name === "default") return isEmpty(value) ? term(argument, scope) : value
    if (name === "nindent") return `\n${String(value).replaceAll(/^/gm, " ".repeat(Number(argument)))}`
    throw new Error(`the chart uses the function ${name}`)
  }, term(first, scope))
}

const term = (text: string, scope: Scope): unknown => {
  if (text.startsWith("toYaml ")) return toYaml(term(text.slice("toYaml ".length), scope))
  const count = /^until \(int (.*)\)$/.exec(text)?.[1]
  if (count !== undefined) return Array.from({ length: Number(term(count, scope)) }, (_, i) => i)
  if (text === ".") return scope.dot
  if (text.startsWith("$.")) return at(scope.root, text.slice(2))
  if (text.startsWith("$")) return scope.variables[text]
  if (text.startsWith(".")) return at(scope.dot, text)
  throw new Error(`the chart has the expression ${text}`)
}

/** Renders tokens up to the `end` of their block; tokens at odd places are actions. */
const block = (tokens: Array<string>, scope: Scope): string => {
  let output = ""
  while (tokens.length > 0) {
    output += tokens.shift() ?? ""
    const action = tokens.shift()?.trim()
    if (action === undefined || action === "end") return output
    const [, keyword = "", variable, rest = ""] = /^(if|with|range)\s+(?:(\$\w+)\s*:=\s*)?(.*)$/.exec(action) ?? []
    if (keyword === "") {
      output += String(evaluate(action, scope))
      continue
    }
    const value = evaluate(rest, scope)
    const body = [...tokens]
    const items = keyword === "range" && Array.isArray(value) ? value : isEmpty(value) ? [] : [value]
    // Also without an item, to find the end of the block.
    const isSkipped = items.length === 0
    for (const item of isSkipped ? [undefined] : items) {
      tokens.splice(0, tokens.length, ...body)
      const inner = {
        ...scope,
        dot: keyword === "if" ? scope.dot : item,
        variables: variable === undefined ? scope.variables : { ...scope.variables, [variable]: item }
      }
      if (isSkipped) skip(tokens)
      else output += block(tokens, inner)
    }
  }
  return output
}

/** Removes the tokens up to the end of a block. */
const skip = (tokens: Array<string>): void => {
  for (let depth = 1; depth > 0 && tokens.length > 0;) {
    tokens.shift()
    const action = tokens.shift()?.trim() ?? "end"
    if (action === "end") depth--
    else if (/^(?:if|with|range)\s/.test(action)) depth++
  }
}

const merged = (base: unknown, changes: unknown): unknown =>
  isObject(base) && isObject(changes)
    ? {
      ...base,
      ...Object.fromEntries(Object.entries(changes).map(([key, value]) => [key, merged(base[key], value)]))
    }
    : changes === undefined
    ? base
    : changes

/** The default values of the chart. */
export const values = (): unknown => Yaml.parse(Fs.readFileSync(Path.join(chart, "values.yaml"), "utf8"))

/** The chart's own description. */
export const description = (): unknown => Yaml.parse(Fs.readFileSync(Path.join(chart, "Chart.yaml"), "utf8"))

/** Renders a template for a release `nsq` with changes of the values, and returns its text. */
export const render = (template: string, changes: { readonly [key: string]: Json } = {}): string => {
  const text = Fs.readFileSync(Path.join(chart, "templates", template), "utf8")
  const tokens = text.replaceAll(/\s*\{\{-/g, "{{").split(/\{\{(.*?)\}\}/s)
  const root = {
    Values: merged(values(), changes),
    Release: { Name: "nsq", Namespace: "default" },
    Chart: { AppVersion: at(description(), "appVersion") }
  }
  return block(tokens, { root, dot: root, variables: {} }).replace(/^\n/, "")
}

/** The names of the templates. */
export const templates = (): ReadonlyArray<string> => Fs.readdirSync(Path.join(chart, "templates")).toSorted()
