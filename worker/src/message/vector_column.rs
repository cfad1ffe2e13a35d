//! The vectors of one column (`VectorField`).

use bytes::{Bytes, BytesMut};

use super::CodecError;
use super::elements::{Element, Elements, ListMessage, list_len, put_list};
use super::encode::{
    delimited_len, joined_len, pieces_len, put_delimited, put_joined, put_pieces, put_varint, varint_len,
};
use super::row_values::RowValues;
use super::scan::Fields;

const DIM: u32 = 1;
/// Dimension within `SparseFloatArray`.
const SPARSE_DIM: u32 = 2;

/// What a vector field holds, by its number in `VectorField`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    /// One `bytes` value with all rows in it, so many bits per dimension.
    Packed {
        number: u32,
        bits: u64,
    },
    Sparse,
}

/// A column of vectors.
#[derive(Debug, Clone)]
pub(super) struct VectorColumn {
    kind: Kind,
    dim: u64,
    sparse_dim: u64,
    /// Float: packed values. Packed: the bytes of the rows. Sparse: whole entries.
    elements: Elements,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        match number {
            2 => Some(Self::Float),
            // binary
            3 => Some(Self::Packed { number, bits: 1 }),
            // float16, bfloat16
            4 | 5 => Some(Self::Packed { number, bits: 16 }),
            6 => Some(Self::Sparse),
            // int8
            7 => Some(Self::Packed { number, bits: 8 }),
            _ => None,
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::Float => 2,
            Self::Packed { number, .. } => number,
            Self::Sparse => 6,
        }
    }
}

impl VectorColumn {
    /// `None` = a form that is not known here, or more than one form at once.
    pub fn parse(body: &[u8], payload: &Bytes) -> Result<Option<Self>, CodecError> {
        let mut dim = 0;
        let mut data = None;
        for field in Fields::new(body) {
            let field = field?;
            if field.number == DIM {
                dim = field.varint()?;
                continue;
            }
            let Some(kind) = Kind::of(field.number) else { return Ok(None) };
            let inner = field.bytes()?;
            let list = match kind {
                Kind::Float => ListMessage::parse(Element::Fixed32, inner, payload)?,
                Kind::Sparse => ListMessage::parse(Element::Delimited, inner, payload)?,
                Kind::Packed { .. } => ListMessage { elements: whole(inner, payload), ..Default::default() },
            };
            let second_unknown = kind == Kind::Float && list.second.is_some();
            if data.is_some() || list.unknown || second_unknown {
                return Ok(None);
            }
            data = Some((kind, list));
        }
        Ok(data.map(|(kind, list)| Self {
            kind,
            dim,
            sparse_dim: list.second.unwrap_or(0),
            elements: list.elements,
        }))
    }

    /// How many elements are one vector; `None` = no whole number of bytes.
    fn elements_per_row(&self) -> Option<u64> {
        match self.kind {
            Kind::Sparse => Some(1),
            Kind::Float => Some(self.dim),
            Kind::Packed { bits, .. } => {
                Some(self.dim.checked_mul(bits).filter(|bits| bits.is_multiple_of(8))? / 8)
            }
        }
    }

    /// Number of vectors; `None` if the data is not a whole number of them.
    pub fn rows(&self) -> Option<u64> {
        let per_row = self.elements_per_row()?;
        if per_row == 0 || !self.elements.count.is_multiple_of(per_row) {
            return None;
        }
        Some(self.elements.count / per_row)
    }

    /// The vectors, one by one.
    pub fn row_values(&self) -> Result<RowValues, CodecError> {
        let element_bytes = match self.kind {
            Kind::Sparse => return RowValues::entries(&self.elements.pieces),
            Kind::Float => 4,
            Kind::Packed { .. } => 1,
        };
        let row_bytes = self.elements_per_row().unwrap_or(0).saturating_mul(element_bytes);
        Ok(RowValues::equal(&self.elements.pieces, usize::try_from(row_bytes).unwrap_or(usize::MAX)))
    }

    /// The same column with other vectors.
    pub fn with_rows(&self, rows: u64, values: Bytes) -> Self {
        let count = rows.saturating_mul(self.elements_per_row().unwrap_or(0));
        Self { elements: Elements { pieces: vec![values], count }, ..*self }
    }

    /// Sparse vectors have no common dimension.
    pub fn joins(&self, other: &Self) -> bool {
        self.kind == other.kind && (self.kind == Kind::Sparse || self.dim == other.dim)
    }

    pub fn join(&mut self, other: Self) {
        self.elements.append(other.elements);
        self.dim = self.dim.max(other.dim);
        self.sparse_dim = self.sparse_dim.max(other.sparse_dim);
    }

    pub fn len(&self) -> usize {
        let data = match self.kind {
            Kind::Packed { number, .. } => joined_len(number, &self.elements.pieces),
            _ => delimited_len(self.kind.number(), self.list_len()),
        };
        varint_len(DIM, self.dim) + data
    }

    pub fn put(&self, out: &mut BytesMut) {
        put_varint(out, DIM, self.dim);
        let pieces = &self.elements.pieces;
        match self.kind {
            Kind::Packed { number, .. } => put_joined(out, number, pieces),
            Kind::Float => {
                put_delimited(out, self.kind.number(), self.list_len());
                put_list(out, Element::Fixed32, pieces);
            }
            Kind::Sparse => {
                put_delimited(out, self.kind.number(), self.list_len());
                put_pieces(out, pieces);
                // Each piece has its own dimension in it; the last one counts.
                put_varint(out, SPARSE_DIM, self.sparse_dim);
            }
        }
    }

    fn list_len(&self) -> usize {
        let pieces = &self.elements.pieces;
        match self.kind {
            Kind::Sparse => pieces_len(pieces) + varint_len(SPARSE_DIM, self.sparse_dim),
            _ => list_len(Element::Fixed32, pieces),
        }
    }
}

fn whole(bytes: &[u8], payload: &Bytes) -> Elements {
    Elements { pieces: vec![payload.slice_ref(bytes)], count: bytes.len() as u64 }
}
