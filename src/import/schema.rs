//! Which tables and columns the source has, and what is asked of them.
//!
//! Old versions of Zulip lack some of them, so each column is read only where it is there, and as text: what it holds is
//! judged here.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

/// All columns of tables that may matter: schema, table, column, type.
pub(super) const COLUMNS: &str = "SELECT table_schema::text, table_name::text, column_name::text,
    data_type::text FROM information_schema.columns
    WHERE table_name LIKE 'zilencer%' OR table_name LIKE 'corporate%'
       OR table_name = 'django_migrations'";

/// The table that every bouncer has.
pub(super) const SERVERS: &str = "zilencer_remotezulipserver";

/// Numbers, moments and flags are not longer than this.
const SHORT: usize = 40;

/// The tables and columns of the source.
#[derive(Default)]
pub(super) struct Schema {
    name: String,
    /// The type of each column, by table and column.
    types: HashMap<(String, String), String>,
}

impl Schema {
    /// What these columns are; nothing where there are no servers.
    pub(super) fn of(columns: Vec<[String; 4]>) -> Option<Self> {
        let name = columns.iter().find(|column| column[1] == SERVERS)?[0].clone();
        let of_schema = columns.into_iter().filter(|[schema, ..]| *schema == name);
        let types = of_schema.map(|[_, table, column, kind]| ((table, column), kind)).collect();
        Some(Self { name, types })
    }

    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        self.type_of(table, column).is_some()
    }

    fn type_of(&self, table: &str, column: &str) -> Option<&str> {
        self.types.get(&(table.to_owned(), column.to_owned())).map(String::as_str)
    }

    /// The table's name in a statement.
    pub(super) fn table(&self, table: &str) -> String {
        format!("{}.{}", quoted(&self.name), quoted(table))
    }

    /// A column as text, cut behind so many characters; `alias` stands for its table.
    pub(super) fn text(&self, alias: &str, table: &str, column: &str, longest: usize) -> String {
        match self.has(table, column) {
            true => format!("left({alias}.{}::text, {longest})", quoted(column)),
            false => "NULL::text".to_owned(),
        }
    }

    /// A column with a moment, in milliseconds since the Unix epoch.
    pub(super) fn moment(&self, alias: &str, table: &str, column: &str) -> String {
        match self.type_of(table, column) {
            Some(kind) if kind.starts_with("timestamp") => {
                let column = format!("{alias}.{}", quoted(column));
                format!(
                    "CASE WHEN isfinite({column})
                     THEN floor(extract(epoch FROM {column}) * 1000)::bigint END"
                )
            }
            _ => "NULL::bigint".to_owned(),
        }
    }
}

/// What is asked of a table, whose alias is `t`.
pub(super) struct Selection {
    table: String,
    key: String,
    version: String,
    names: Vec<&'static str>,
    fields: Vec<String>,
    restriction: &'static str,
    frozen: Arc<[&'static str]>,
}

impl Selection {
    /// Nothing yet, of a table with this key; none where the table or its key is missing.
    pub(super) fn of(schema: &Schema, table: &str, key: &str) -> Option<Self> {
        schema.has(table, key).then(|| Self {
            table: schema.table(table),
            key: format!("t.{}", quoted(key)),
            version: "0::bigint".to_owned(),
            names: Vec::new(),
            fields: Vec::new(),
            restriction: "true",
            frozen: Arc::from([]),
        })
    }

    /// A number that changes when a row does.
    pub(super) fn version(self, expression: &str) -> Self {
        Self { version: format!("coalesce({expression}, 0)"), ..self }
    }

    /// A field of any kind.
    pub(super) fn field(mut self, name: &'static str, expression: String) -> Self {
        self.names.push(name);
        self.fields.push(expression);
        self.frozen = self.names.clone().into();
        self
    }

    /// Fields that are the columns of the same names.
    pub(super) fn columns(
        mut self,
        schema: &Schema,
        table: &str,
        columns: &[(&'static str, usize)],
    ) -> Self {
        for (column, longest) in columns {
            // One character more shows that it is too long.
            self = self.field(column, schema.text("t", table, column, longest + 1));
        }
        self
    }

    /// The same for numbers and flags.
    pub(super) fn short(self, schema: &Schema, table: &str, columns: &[&'static str]) -> Self {
        let columns: Vec<_> = columns.iter().map(|column| (*column, SHORT)).collect();
        self.columns(schema, table, &columns)
    }

    /// The same for moments.
    pub(super) fn moments(
        mut self,
        schema: &Schema,
        table: &str,
        columns: &[&'static str],
    ) -> Self {
        for column in columns {
            self = self.field(column, format!("({})::text", schema.moment("t", table, column)));
        }
        self
    }

    /// Only rows of which this is true.
    pub(super) fn only(self, restriction: &'static str) -> Self {
        Self { restriction, ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn names(&self) -> Arc<[&'static str]> {
        Arc::clone(&self.frozen)
    }

    pub(super) fn count(&self) -> String {
        format!("SELECT count(*) FROM {} t", self.table)
    }

    pub(super) fn highest_key(&self) -> String {
        format!("SELECT max({})::bigint FROM {} t", self.key, self.table)
    }

    pub(super) fn versions(&self, limit: usize) -> String {
        let Self { table, key, version, .. } = self;
        format!(
            "SELECT {key}::bigint, {version} FROM {table} t WHERE {key} > $1
             ORDER BY {key} LIMIT {limit}"
        )
    }

    pub(super) fn rows_between(&self, limit: usize) -> String {
        let key = &self.key;
        let which = format!("{key} > $1 AND {key} <= $2 AND {}", self.restriction);
        format!("{} WHERE {which} ORDER BY {key} LIMIT {limit}", self.rows())
    }

    pub(super) fn rows_with(&self) -> String {
        format!("{} WHERE {key} = ANY($1) ORDER BY {key}", self.rows(), key = self.key)
    }

    pub(super) fn keys_from(&self) -> String {
        let Self { table, key, .. } = self;
        format!(
            "SELECT DISTINCT found.key FROM unnest($1::bigint[]) AS wanted (start),
             LATERAL (SELECT {key}::bigint AS key FROM {table} t WHERE {key} >= wanted.start
                      ORDER BY {key} LIMIT 1) found"
        )
    }

    fn rows(&self) -> String {
        let mut statement = format!("SELECT {}::bigint, {}", self.key, self.version);
        for field in &self.fields {
            write!(statement, ", {field}").expect("writing a text into memory does not fail");
        }
        format!("{statement} FROM {} t", self.table)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
