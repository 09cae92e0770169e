//! Names of objects: a whole array of text, written at once.

use zarrange_codec::Variable;
use zarrange_grid::index;

use crate::ArrayError;
use crate::array::Array;
use crate::variable::VariableWriter;

impl Array {
    /// Writes all chunks of a one-dimensional array of text (`string` with `vlen-utf8`), which has no shards.
    ///
    /// # Errors
    /// If the array is not one of text, has another length, or cannot be written.
    pub fn write_strings(&self, values: &[impl AsRef<str>]) -> Result<(), ArrayError> {
        let wrong = |detail: String| ArrayError::Opaque { array: self.location().to_owned(), detail };
        let elements = self.variable().ok_or_else(|| wrong("its elements are no text".to_owned()))?;
        if self.shape() != [values.len() as u64] {
            return Err(wrong(format!("{} strings do not fit shape {:?}", values.len(), self.shape())));
        }
        let (mut writer, mut chunk) = (VariableWriter::new(self, elements, false, 0), Variable::new());
        let chunks = self.objects().all();
        for position in (0..chunks.elements()).map(|k| chunks.unravel(k)) {
            let part = self.objects().region(&position);
            chunk.clear();
            values[index(part.start()[0])..index(part.end(0))]
                .iter()
                .for_each(|text| chunk.push(text.as_ref().as_bytes()));
            (chunk.len()..elements.chain().elements()).for_each(|_| chunk.push(&elements.fill));
            writer.write(&position, &chunk)?;
        }
        Ok(())
    }
}
