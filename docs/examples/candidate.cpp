// A candidate in C++17 (little-endian): a naive float32 dense layer; writes x.npy, kernel.npy, bias.npy and out.npy.
#include <fstream>
#include <string>
#include <vector>

// An .npy file: magic and version, the length of the header in two bytes, the header, the numbers.
void write_npy(const std::string& path, const std::string& shape, const std::vector<float>& data) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  const char length[2] = {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8).write(length, 2) << header;
  file.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size() * sizeof(float)));
}

int main() {
  const int rows = 4, inputs = 7, units = 5;
  std::vector<float> x(rows * inputs), kernel(inputs * units), bias(units), y(rows * units);
  for (auto* values : {&x, &kernel, &bias})
    for (std::size_t i = 0; i < values->size(); i++) (*values)[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  for (int row = 0; row < rows; row++)
    for (int unit = 0; unit < units; unit++) {
      float sum = bias[unit];
      for (int i = 0; i < inputs; i++) sum += x[row * inputs + i] * kernel[i * units + unit];
      y[row * units + unit] = sum;
    }
  write_npy("x.npy", "4, 7", x);
  write_npy("kernel.npy", "7, 5", kernel);
  write_npy("bias.npy", "5,", bias);
  write_npy("out.npy", "4, 5", y);
}
