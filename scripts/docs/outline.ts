/** The documents of the site in the order of its navigation, and the page of each. A document that is not listed fails the build. */

/** A page: its document in the repository, or a generated page without one. */
export interface Entry {
  readonly title: string
  /** Path of the document in the repository; `undefined` for generated pages. */
  readonly source?: string
  /** Path of the page on the site, without `.md`. */
  readonly page: string
}

/** A part of the navigation. */
export interface Part {
  readonly title: string
  readonly entries: ReadonlyArray<Entry>
}

const document = (title: string, name: string): Entry => ({ title, source: `docs/${name}.md`, page: name })

const generated = (title: string, page: string): Entry => ({ title, page })

/** The pages of the programs' options, which are generated. */
const configuration = [
  "nsqd",
  "nsqlookupd",
  "nsqadmin",
  "standalone",
  "nsq_stat",
  "nsq_tail",
  "nsq_to_file",
  "nsq_to_http",
  "nsq_to_nsq",
  "to_nsq"
]

/** The whole navigation. */
export const outline: ReadonlyArray<Part> = [
  {
    title: "Start",
    entries: [
      { title: "What it is", source: "README.md", page: "index" },
      document("Tutorial", "tutorial"),
      document("Installing", "install"),
      document("Comparison", "comparison"),
      document("Performance", "performance")
    ]
  },
  {
    title: "From another system",
    entries: [
      document("From NSQ and back", "upgrade"),
      document("Differences from NSQ", "differences"),
      document("Compatibility", "compatibility"),
      document("From nsqjs", "nsqjs-migration")
    ]
  },
  {
    title: "Run",
    entries: [
      document("Operating nsqd", "operations"),
      document("Durability", "durability"),
      document("Policies", "policies"),
      document("Headers", "headers"),
      document("Security", "security"),
      document("Discovery", "discovery"),
      document("nsqadmin", "nsqadmin"),
      document("The command nsq", "cli"),
      document("Troubleshooting", "troubleshooting")
    ]
  },
  {
    title: "Library",
    entries: [
      document("Overview", "library"),
      document("Client", "client"),
      document("Client without Effect", "promise"),
      document("Embedding", "embedding"),
      document("Persisted queues", "persisted-queue"),
      document("HTTP APIs as typed calls", "admin"),
      document("Testing", "testing")
    ]
  },
  {
    title: "Configuration",
    entries: configuration.map((program) => generated(program, `configuration/${program}`))
  },
  {
    title: "HTTP APIs",
    entries: ["nsqd", "nsqlookupd", "nsqadmin"].map((daemon) => generated(daemon, `http/${daemon}`))
  },
  {
    title: "Protocols and formats",
    entries: [
      { title: "Overview", source: "docs/protocol/README.md", page: "protocol/index" },
      document("Clients, TCP", "protocol/client"),
      document("nsqlookupd, TCP", "protocol/nsqlookupd"),
      document("HTTP", "protocol/http"),
      document("Files", "protocol/files"),
      document("Options and logs", "protocol/options"),
      document("Metrics", "protocol/metrics"),
      document("Client libraries", "protocol/library"),
      document("Tools", "protocol/tools")
    ]
  },
  {
    title: "Project",
    entries: [
      { title: "Architecture", source: "ARCHITECTURE.md", page: "architecture" },
      { title: "Contributing", source: "CONTRIBUTING.md", page: "contributing" },
      { title: "Benchmark", source: "bench/README.md", page: "benchmark" },
      { title: "Changelog", source: "CHANGELOG.md", page: "changelog" }
    ]
  }
]

/** The documents of the repository, by their paths. */
export const documents: ReadonlyMap<string, Entry> = new Map(
  outline.flatMap(({ entries }) =>
    entries.flatMap((entry) => entry.source === undefined ? [] : [[entry.source, entry]])
  )
)
